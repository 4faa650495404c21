// The four workers of the chaos: each a process in its seat, with its own way to the database, started again whenever it has ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { until } from '../deadline.ts'
import { forgetSharedClock } from '../faults/false-clock.ts'
import type { EndedAttempt, EndMessage, Order } from './orders.ts'
import { oddEnd, type Told } from './worker-end.ts'

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
  /** Whether what nobody refers to any more can be collected at once, to measure what is left. */
  readonly collects: boolean
}

interface MeasuredMessage {
  readonly kind: 'measured'
  readonly heapBytes: number
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

/** For how long a process was in order: no fault of its own. By the machine's clock, as are the times of attempts. */
export interface WellTime {
  readonly pid: number
  readonly from: Date
  /** Undefined while it lasts. */
  readonly to: Date | undefined
}

const drainMs = 5_000
/** Longer than a worker takes to end while the database is away: what it drains, its last turns, its leave and its connections. */
const forcedMs = 30_000
const heapMegabytes = 160
const errorsKept = 4_000
/** No handler ends on a worker that is cut off. */
const endWithinMs = 8_000
/** Until its memory is eaten, or whoever was told to end is gone. */
const goneWithinMs = 60_000

export class Seat {
  readonly options: SeatOptions
  /** Of the code that its worker has: before a deployment, or after it. */
  generation: number
  /** Ends that nobody brought about, with what the process said last. */
  readonly unexpected: string[] = []
  readonly deaths: Death[] = []
  readonly wellTimes: WellTime[] = []
  /** Whether its worker is another one than it would be by itself. */
  isOdd = false
  #child: ChildProcess | undefined
  #ready = false
  #told: Told
  #wasForced = false
  #said = ''
  #wellSince: number | undefined
  #isClosed = false
  #atEnd: EndedAttempt | undefined
  #heapBytes: number | undefined
  #inHand: Promise<unknown> = Promise.resolve()

  constructor(options: SeatOptions) {
    this.options = options
    this.generation = options.number % 2
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Since when its worker is in order: no fault of its own. Undefined while there is one. */
  get wellSince(): number | undefined {
    return this.#wellSince
  }

  set wellSince(since: number | undefined) {
    this.#wellSince = since
    const last = this.wellTimes.at(-1)
    if (last?.to === undefined && last !== undefined)
      this.wellTimes[this.wellTimes.length - 1] = { ...last, to: new Date() }
    if (since !== undefined && this.pid !== undefined)
      this.wellTimes.push({ pid: this.pid, from: new Date(), to: undefined })
  }

  /** What its objects took when it was last measured, without compiled code; undefined of a process that was not. */
  get heapBytes(): number | undefined {
    return this.#heapBytes
  }

  /** One fault of it at a time, whichever lane they come from. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#inHand.then(work)
    this.#inHand = turn.catch(() => {})
    return turn
  }

  /** Ready when it resolves: with the database away, that is once it is back. */
  async start({ program, environment = {} }: Oddity = {}, withinMs = 120_000): Promise<void> {
    if (this.#isClosed) throw new Error('All is to end: no worker is started any more.')
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
      ...(this.options.collects ? ['--expose-gc'] : []),
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
    this.#told = undefined
    this.#wasForced = false
    this.#said = ''
    this.#heapBytes = undefined
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString('utf8')).slice(-errorsKept)
    })
    child.on('message', (message: { readonly kind: 'ready' } | EndMessage | MeasuredMessage) => {
      if (this.#child === child) this.#heard(message)
    })
    // All that it said is there by then.
    child.on('close', (code, signal) => {
      forgetSharedClock(child.pid!)
      if (this.#child === child) this.#leftWith(signal ?? code)
    })
    await until(`the worker in seat ${number} is ready`, () => this.#ready || this.#child !== child, withinMs)
    this.wellSince = performance.now()
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** It neither hears nor says anything for so long. */
  block(ms: number): void {
    this.#order({ kind: 'block', ms })
  }

  /** Its next attempt at this step stays for a while before it does anything. */
  stayAt({ run, step }: EndedAttempt): void {
    this.#order({ kind: 'stay', run, step })
  }

  measure(): void {
    this.#order({ kind: 'measure' })
  }

  /** Once it has been. */
  async measured(): Promise<void> {
    this.#heapBytes = undefined
    this.measure()
    await until('the heap is measured', () => this.#heapBytes)
  }

  /** It stops where the next handler ends, or fails, before anybody is told. Answers with the attempt. */
  async stopAtEnd(failing: boolean): Promise<EndedAttempt> {
    try {
      return await this.#signalAtEnd('SIGSTOP', failing)
    } catch (error) {
      this.#order({ kind: 'end', signal: undefined, failing })
      throw error
    }
  }

  /** It is killed there. */
  async killAtEnd(failing: boolean): Promise<void> {
    const { pid } = this
    this.wellSince = undefined
    this.#told = 'kill'
    try {
      await this.#signalAtEnd('SIGKILL', failing)
      this.#died(pid)
      await this.#gone()
    } finally {
      // Who has not ended any is killed all the same, or an order would wait in it.
      await this.kill()
    }
  }

  /** Ends as one does that has no memory left. */
  async eat(): Promise<void> {
    const { pid } = this
    this.wellSince = undefined
    this.#told = 'eat'
    this.#order({ kind: 'eat' })
    try {
      await this.#gone()
      this.#died(pid)
    } finally {
      await this.kill()
    }
  }

  async kill(): Promise<void> {
    this.wellSince = undefined
    this.#told ??= 'kill'
    this.#died()
    this.signal('SIGKILL')
    await this.#gone()
  }

  /** Ends in good order; by force where that takes too long, which is told. */
  async stop(): Promise<void> {
    this.wellSince = undefined
    this.#told = 'stop'
    this.signal('SIGTERM')
    const force = setTimeout(() => {
      this.#wasForced = true
      this.signal('SIGKILL')
    }, forcedMs)
    await this.#gone()
    clearTimeout(force)
  }

  /** For good: whoever would start it again is refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.kill()
  }

  async #signalAtEnd(signal: 'SIGSTOP' | 'SIGKILL', failing: boolean): Promise<EndedAttempt> {
    this.#atEnd = undefined
    this.#order({ kind: 'end', signal, failing })
    return until('a handler ends', () => this.#atEnd, endWithinMs)
  }

  /** A process that has ended hears nothing; that is told elsewhere. */
  #order(order: Order): void {
    this.#child?.send(order, () => {})
  }

  #heard(message: { readonly kind: 'ready' } | EndMessage | MeasuredMessage): void {
    if (message.kind === 'ready') this.#ready = true
    else if (message.kind === 'measured') this.#heapBytes = message.heapBytes
    else this.#atEnd = message
  }

  #died(pid = this.pid): void {
    if (pid !== undefined && this.#ready) this.deaths.push({ pid, at: new Date(), way: this.options.way })
  }

  #gone(): Promise<boolean> {
    return until(
      `the end of the worker in seat ${this.options.number}`,
      () => this.#child === undefined,
      goneWithinMs,
    )
  }

  #leftWith(by: NodeJS.Signals | number | null): void {
    const told = this.#told
    const end = { told, wasReady: this.#ready, wasForced: this.#wasForced, by, said: this.#said }
    this.#child = undefined
    this.wellSince = undefined
    for (const sentence of oddEnd(end))
      this.unexpected.push(`The worker in seat ${this.options.number} ${sentence}`)
    if (told !== undefined || this.#isClosed) return
    // As whoever looks after processes would.
    void this.start().catch((error: Error) => this.unexpected.push(error.message))
  }
}
