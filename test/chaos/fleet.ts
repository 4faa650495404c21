// The four workers of the chaos: each a process in its seat, with its own way to the database, started again whenever it has ended.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import { until } from '../deadline.ts'

export interface SeatOptions {
  readonly number: number
  /** The program that it runs. */
  readonly program: string
  /** How it reaches the database: what is said in the report. */
  readonly way: 'directly' | 'by a proxy' | 'by PgBouncer' | 'from a network of its own'
  readonly database: string
  readonly outside: string
  /** What the program is started by, where that is not enough by itself. */
  readonly command: readonly string[]
  readonly seed: number
  readonly leaseSeconds: number
  readonly heartbeatMs: number
  readonly slots: number
}

/** How a worker differs from what it is otherwise, until it is started again. */
export interface Oddity {
  /** The program of another revision of the project. */
  readonly program?: string
  readonly environment?: Readonly<Record<string, string>>
}

export interface Death {
  readonly pid: number
  readonly at: Date
  readonly way: SeatOptions['way']
}

const faketime = '/usr/bin/faketime'
const drainMs = 5_000
const heapMegabytes = 160
const errorsKept = 4_000

export const isFaketimeThere = fs.existsSync(faketime)

/** The environment in which a program sees such a clock; the command itself would stand between us and the program. */
export function withClock(clock: string): Record<string, string> {
  const preload = execFileSync(faketime, ['-f', clock, 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()
  return { LD_PRELOAD: preload, FAKETIME: clock, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
}

export class Seat {
  readonly options: SeatOptions
  /** Of the code that its worker has: before a deployment, or after it. */
  generation: number
  /** Ends that nobody brought about, with what the process said last. */
  readonly unexpected: string[] = []
  readonly deaths: Death[] = []
  /** Since when its worker is in order: no fault of its own. Undefined while there is one. */
  wellSince: number | undefined
  /** Whether its worker is another one than it would be by itself. */
  isOdd = false
  #child: ChildProcess | undefined
  #ready = false
  #mayEnd = true
  #said = ''

  constructor(options: SeatOptions) {
    this.options = options
    this.generation = options.number % 2
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Ready when it resolves: with the database away, that is once it is back. */
  async start({ program, environment = {} }: Oddity = {}, withinMs = 120_000): Promise<void> {
    const { seed, leaseSeconds, heartbeatMs, slots, database, outside, command, number } = this.options
    const given = {
      seed,
      generation: this.generation,
      database,
      leaseSeconds,
      heartbeatMs,
      slots,
      drainMs,
      name: `seat ${number}`,
    }
    const [file, ...args] = [
      ...command,
      process.execPath,
      `--max-old-space-size=${heapMegabytes}`,
      program ?? this.options.program,
      JSON.stringify(given),
    ]
    const child = spawn(file!, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...process.env,
        MILLRACE_CHAOS_OUTSIDE: outside,
        MILLRACE_CHAOS_SECRET: 'chaos',
        ...environment,
      },
    })
    this.#child = child
    this.isOdd = program !== undefined || Object.keys(environment).length > 0
    this.#ready = false
    this.#mayEnd = false
    this.#said = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString('utf8')).slice(-errorsKept)
    })
    child.on('message', () => {
      this.#ready = true
    })
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.#ended(signal ?? code)
    })
    await until(`the worker in seat ${number} is ready`, () => this.#ready || this.#child !== child, withinMs)
    this.wellSince = performance.now()
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** It neither hears nor says anything for so long. */
  block(ms: number): void {
    this.#child?.send({ kind: 'block', ms })
  }

  /** Ends as one does that has no memory left. */
  async eat(): Promise<void> {
    this.#mayEnd = true
    this.#child?.send({ kind: 'eat' })
    await this.#gone()
    this.#died()
  }

  async kill(): Promise<void> {
    this.wellSince = undefined
    this.#mayEnd = true
    this.#died()
    this.signal('SIGKILL')
    await this.#gone()
  }

  /** Ends in good order; by force where that takes too long. */
  async stop(): Promise<void> {
    this.wellSince = undefined
    this.#mayEnd = true
    this.signal('SIGTERM')
    const force = setTimeout(() => this.signal('SIGKILL'), 3 * drainMs)
    await this.#gone()
    clearTimeout(force)
  }

  #died(): void {
    const { pid } = this
    if (pid !== undefined && this.#ready) this.deaths.push({ pid, at: new Date(), way: this.options.way })
  }

  #gone(): Promise<boolean> {
    return until(
      `the end of the worker in seat ${this.options.number}`,
      () => this.#child === undefined,
      60_000,
    )
  }

  #ended(by: NodeJS.Signals | number | null): void {
    this.#child = undefined
    this.wellSince = undefined
    if (this.#mayEnd) return
    this.unexpected.push(
      `The worker in seat ${this.options.number} ended with ${by} by itself: ${this.#said}`,
    )
    // As whoever looks after processes would.
    void this.start().catch((error: Error) => this.unexpected.push(error.message))
  }
}
