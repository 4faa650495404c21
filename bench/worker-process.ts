// The worker of another process, as its parent sees it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('worker-process.mjs', import.meta.url))

export interface WorkerProcessOptions {
  readonly database: string
  readonly slots?: number
  /** The steps of each pipeline, in a chain. */
  readonly pipelines: Readonly<Record<string, readonly string[]>>
  /** It does not tell when handlers begin. */
  readonly silent?: boolean
}

interface Told {
  readonly ready?: true
  readonly beganMs?: number
  readonly residentBytes?: number
  readonly cpuSeconds?: number
}

export class WorkerProcess {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Waits until it claims. */
  static async start(options: WorkerProcessOptions): Promise<WorkerProcess> {
    // Without the loader of this process, which would make it larger than a worker is.
    const child = fork(program, {
      execArgv: [],
      // Not as an argument: the address holds a password, and arguments are for everybody to see.
      env: { ...process.env, BENCH_WORKER: JSON.stringify(options) },
    })
    const worker = new WorkerProcess(child)
    await worker.#told(({ ready }) => ready)
    return worker
  }

  /** When the next handler begins, on the clock that all processes share. */
  nextBegin(): Promise<number> {
    return this.#told(({ beganMs }) => beganMs)
  }

  residentBytes(): Promise<number> {
    this.#child.send('memory')
    return this.#told(({ residentBytes }) => residentBytes)
  }

  cpuSeconds(): Promise<number> {
    this.#child.send('cpu')
    return this.#told(({ cpuSeconds }) => cpuSeconds)
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
  }

  #told<T>(pick: (told: Told) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('The worker process ended; it says why above.'))
      const listen = (told: unknown) => {
        const picked = pick(told as Told)
        if (picked === undefined) return
        this.#child.off('message', listen)
        this.#child.off('exit', ended)
        resolve(picked)
      }
      this.#child.on('message', listen)
      this.#child.once('exit', ended)
    })
  }
}
