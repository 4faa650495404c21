// A worker in a process of its own: started, listened to, signalled, and never left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { WorkerOptions } from '../../src/worker/options.ts'
import type { Sql } from '../protocol.ts'
import { until } from '../deadline.ts'
import { compiled } from '../program.ts'

const program = fileURLToPath(new URL('../programs/fault-worker.ts', import.meta.url))

export interface Line {
  kind: 'ready' | 'log' | 'began' | 'aborted' | 'ended' | 'stopping' | 'stopped'
  worker?: string
  run?: string
  attempt?: number
  token?: number
  reason?: string
  level?: string
  message?: string
  /** By the clock of its process, in milliseconds. */
  at: number
}

export interface ProgramOptions extends Omit<WorkerOptions, 'pipelines' | 'log' | 'random'> {
  /** Added to the environment of the process. */
  readonly env?: Record<string, string>
}

export class WorkerProgram {
  readonly lines: Line[] = []
  readonly errors: string[] = []
  readonly child: ChildProcess
  #ended = false
  #code: number | null = null

  constructor({ env = {}, ...options }: ProgramOptions) {
    const args = [compiled(program), JSON.stringify(options)]
    this.child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    createInterface({ input: this.child.stdout! }).on('line', (line) =>
      this.lines.push(JSON.parse(line) as Line),
    )
    this.child.stderr!.on('data', (chunk: Buffer) => this.errors.push(chunk.toString('utf8')))
    this.child.on('exit', (code) => {
      this.#ended = true
      this.#code = code
    })
  }

  /** The id of the first worker that it ran. */
  get worker(): string {
    return this.lines.find(({ kind }) => kind === 'ready')?.worker ?? ''
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Its exit code; null after a signal. */
  get code(): number | null {
    return this.#code
  }

  get logs(): Line[] {
    return this.lines.filter(({ kind }) => kind === 'log')
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Waits for a line of this kind, about this run if one is given. */
  said(
    kind: Line['kind'],
    wanted: { run?: string; attempt?: number } = {},
    withinMs?: number,
  ): Promise<Line> {
    const isWanted = (line: Line) =>
      line.kind === kind &&
      (wanted.run === undefined || line.run === wanted.run) &&
      (wanted.attempt === undefined || line.attempt === wanted.attempt)
    return until(
      `'${kind}' from the worker's process`,
      () => {
        const line = this.lines.find(isWanted)
        if (line === undefined && this.#ended)
          throw new Error(`The worker's process ended with ${this.#code}: ${this.errors.join('')}`)
        return line
      },
      withinMs,
    )
  }

  async exited(withinMs?: number): Promise<void> {
    await until("the end of the worker's process", () => this.#ended, withinMs)
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited()
  }
}

/** The programs of a test file, all of which end with it. */
export class WorkerPrograms {
  readonly #programs: WorkerProgram[] = []

  /** Starts one; it may not be ready yet. */
  begin(options: ProgramOptions): WorkerProgram {
    const started = new WorkerProgram(options)
    this.#programs.push(started)
    return started
  }

  /** Starts one and waits until it claims. */
  async start(options: ProgramOptions): Promise<WorkerProgram> {
    const started = this.begin(options)
    await started.said('ready')
    return started
  }

  /** For afterEach. A worker prints nothing on its error stream: what stands there is an error that nobody caught. */
  async killAll(): Promise<void> {
    const programs = this.#programs.splice(0)
    await Promise.all(programs.map((program) => program.kill()))
    const uncaught = programs.map(({ errors }) => errors.join('')).filter((text) => text !== '')
    if (uncaught.length > 0) throw new Error(`A worker's process reported: ${uncaught.join('\n')}`)
  }
}

/** Passes once this worker, and the server, have lived for longer than a lease: nobody judges sooner. */
export async function mayJudge(sql: Sql, worker: string): Promise<void> {
  await until('a worker that may judge', async () => {
    const [row] = await sql.query<{ may: boolean }>(
      `select millrace.now() > started_at + make_interval(secs => lease_seconds + 0.5)
          and clock_timestamp() > pg_postmaster_start_time() + interval '10.5 seconds' as may
         from millrace.worker where id = $1`,
      [worker],
    )
    return row?.may === true
  })
}
