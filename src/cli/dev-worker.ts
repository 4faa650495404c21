// Owns the worker process of `millrace dev`: started, drained and started again when a file changes that it had loaded.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { startLine } from './example-input.ts'
import { devDatabaseVariable } from './session.ts'
import type { Terminal } from './terminal.ts'
import type { DevOrder, WorkerNews } from './worker-orders.ts'

export interface DevWorkerOptions {
  /** The configuration file. */
  readonly config: string
  readonly database: string
  readonly terminal: Terminal
  /** Told of each file that the worker has loaded. */
  readonly onImport: (file: string) => void
}

export class DevWorker {
  readonly #options: DevWorkerOptions
  /** The files that the worker has loaded; a change of another one is none of its business. */
  #imports = new Set<string>()
  #child: ChildProcess | undefined
  #restarting: Promise<void> | undefined
  #stopped = false
  #isOffered = false

  constructor(options: DevWorkerOptions) {
    this.#options = options
  }

  /** Starts the process; whether its code loads is told by itself. */
  async start(): Promise<void> {
    const { config, database, terminal } = this.#options
    this.#imports = new Set([config])
    const child = fork(
      process.argv[1] ?? '',
      ['worker', '--config', config, ...(terminal.json ? ['--json'] : [])],
      {
        env: { ...process.env, [devDatabaseVariable]: database },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    )
    this.#child = child
    child.on('message', (news: WorkerNews) => this.#hear(news))
    child.on('exit', (status) => this.#ended(child, status))
  }

  /** A file has changed: with code that the worker has loaded, or while there is none, it starts again. */
  async changed(file: string): Promise<void> {
    if (this.#stopped || this.#restarting !== undefined) return
    if (this.#child !== undefined && !this.#imports.has(file)) return
    this.#options.terminal.print(
      `${path.relative(path.dirname(this.#options.config), file)} changed; reloading.`,
    )
    this.#restarting = this.#restart()
    await this.#restarting
    this.#restarting = undefined
  }

  async #restart(): Promise<void> {
    await this.#drain()
    if (!this.#stopped) await this.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#restarting
    await this.#drain()
  }

  /** What still runs is given back at once. */
  force(): void {
    this.#order('force')
  }

  async #drain(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    this.#order('drain')
    await exited
  }

  #order(order: DevOrder): void {
    if (this.#child?.connected) this.#child.send(order)
  }

  #hear(news: WorkerNews): void {
    if (news.kind === 'serving') return this.#offer(news.pipelines)
    this.#imports.add(news.file)
    this.#options.onImport(news.file)
  }

  #offer(pipelines: ReadonlyArray<{ slug: string; example: string }>): void {
    const [first] = pipelines
    if (this.#isOffered || first === undefined) return
    this.#isOffered = true
    this.#options.terminal.printLines(
      `Start a run from another terminal:\n  ${startLine(first.slug, first.example)}`,
    )
  }

  #ended(child: ChildProcess, status: number | null): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (this.#stopped || this.#restarting !== undefined) return
    const how = status === null ? 'was killed' : `ended with status ${status}`
    this.#options.terminal.print(`The worker ${how}; it starts again when a file changes.`)
  }
}
