// A peer's process, as its parent sees it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Work } from './agent-work.ts'
import { type Answer, Calls } from './calls.ts'
import type { OpenOptions } from './peer.ts'
import type { PeerName } from './peer-names.ts'

const program = fileURLToPath(new URL('agent.ts', import.meta.url))
const opensWithinMs = 120_000
const closesWithinMs = 15_000
/** After the bound that a call has itself, and for what has none or ends all that it began: far beyond what a slow machine needs. */
const answersWithinMs = 60_000
const unboundMs = 600_000
/** Ten million of them take the better part of an hour. */
const historyMs = 7_200_000

type Result<Name extends keyof Work> = Awaited<ReturnType<Work[Name]>>

export interface AgentOptions extends OpenOptions {
  readonly peer: PeerName
}

interface Message extends Answer {
  readonly begun?: number
}

export class Agent {
  readonly #child: ChildProcess
  readonly #calls: Calls
  #begun = 0
  #asked = 0
  #heard: () => void = () => {}

  private constructor(child: ChildProcess, peer: string) {
    this.#child = child
    this.#calls = new Calls(child, peer)
    child.on('message', ({ begun }: Message) => {
      if (begun === undefined) return
      this.#begun = begun
      this.#heard()
    })
  }

  static async start(options: AgentOptions): Promise<Agent> {
    const child = fork(program, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      // What peers print belongs to nobody's table.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Not as an argument: the address holds a password, and arguments are for everybody to see.
      env: { ...process.env, BENCH_AGENT: JSON.stringify(options) },
    })
    const agent = new Agent(child, options.peer)
    await opened(child, options.peer)
    return agent
  }

  async call<Name extends keyof Work>(name: Name, args?: Parameters<Work[Name]>[0]): Promise<Result<Name>> {
    if (name === 'startWorker' || name === 'startDurable') this.#begun = 0
    if (name === 'allRecorded') this.#asked++
    return (await this.#calls.ask(name, args, withinMs(name, args))) as Result<Name>
  }

  /** How many tasks began here since its worker was told to start. */
  get begun(): number {
    return this.#begun
  }

  /** How often it was asked whether all is recorded: statements that are ours, not the peer's. */
  get asked(): number {
    return this.#asked
  }

  /** Calls back whenever more have begun. */
  onBegun(heard: () => void): void {
    this.#heard = heard
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Lets the peer end by itself, and not for ever. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    await this.#calls.ask('close', undefined, closesWithinMs).catch(() => {})
    this.kill()
    await ended
  }
}

/** It says that it is ready, and nothing before. */
async function opened(child: ChildProcess, peer: string): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), opensWithinMs)
  const ended = once(child, 'exit').then(([, signal]: unknown[]) => {
    throw new Error(
      signal === 'SIGKILL'
        ? `${peer} was not open after ${opensWithinMs / 1_000} s, and its process was ended`
        : `${peer} could not be opened; it says why above`,
    )
  })
  ended.catch(() => {})
  try {
    await Promise.race([once(child, 'message'), ended])
  } finally {
    clearTimeout(timer)
  }
}

export function withinMs(name: keyof Work, args: object | undefined): number {
  if (name === 'fillHistory') return historyMs
  const bound = args !== undefined && 'limitMs' in args ? Number(args.limitMs) : unboundMs
  // Hundreds of runs are in flight at its bound, and one at a time works off a dozen in a second.
  return bound + (name === 'threeSteps' ? unboundMs : answersWithinMs)
}
