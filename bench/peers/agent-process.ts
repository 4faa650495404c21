// A peer's process, as its parent sees it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AgentOptions, Work } from './agent.ts'

const program = fileURLToPath(new URL('agent.ts', import.meta.url))
const closeWithinMs = 15_000

type Answer<Name extends keyof Work> = Awaited<ReturnType<Work[Name]>>

interface Message {
  readonly ready?: true
  readonly begun?: number
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
}

export class Agent {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  #calls = 0
  #begun = 0
  #asked = 0
  #heard: () => void = () => {}

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message: Message) => this.#receive(message))
    // What is sent to a process that has just ended; its end is heard of below.
    child.on('error', () => {})
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error('The process of the peer ended; it says why above.'))
      this.#waiting.clear()
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
    const agent = new Agent(child)
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${options.peer} could not be opened; it says why above.`)
    })
    ended.catch(() => {})
    await Promise.race([once(child, 'message'), ended])
    return agent
  }

  call<Name extends keyof Work>(name: Name, args?: Parameters<Work[Name]>[0]): Promise<Answer<Name>> {
    const id = ++this.#calls
    if (name === 'startWorker' || name === 'startDurable') this.#begun = 0
    if (name === 'allRecorded') this.#asked++
    return new Promise<Answer<Name>>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, name, args })
    })
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
    const timer = setTimeout(() => this.kill(), closeWithinMs)
    await this.call('close').catch(() => {})
    this.#child.kill('SIGKILL')
    await ended
    clearTimeout(timer)
  }

  #receive({ begun, id, result, error }: Message): void {
    if (begun !== undefined) {
      this.#begun = begun
      this.#heard()
    }
    if (id === undefined) return
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  }
}
