// A trial: the real pipeline of a graph, run by a real worker on a real database, with handlers that do what a script says.
import { setImmediate as turn } from 'node:timers/promises'
import { z } from 'zod'
import { PermanentError } from '../../src/core/errors.ts'
import { connect } from '../../src/sdk/client.ts'
import type { HandlerContext } from '../../src/sdk/context.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import type { PipelineDefinition } from '../../src/sdk/pipeline-definition.ts'
import { startWorker } from '../../src/worker/worker.ts'
import type { TestDatabase } from '../database.ts'
import { until } from '../deadline.ts'
import { attemptsOf, runOf } from '../protocol.ts'
import type { Trial, TrialStep } from './graph-arbitrary.ts'
import { type EndingStep, type EndingTrial, undoOf } from './ending-arbitrary.ts'
import { actOf, type Script } from './graph-model.ts'
import type { Cancelling, Moment, Observed } from './graph-verdict.ts'

const endWithinMs = 20_000
let count = 0

/** What each run of the trial did, script by script. */
export async function runTrial(
  database: TestDatabase,
  trial: Trial & Partial<EndingTrial>,
): Promise<Observed[]> {
  const moments = trial.scripts.map((): Moment[] => [])
  const cancellings = trial.scripts.map((): Cancelling[] => [])
  const client = connect({ database: database.url })
  const cancel = async (script: number, { step, run, attempt, index = 0 }: HandlerContext) => {
    if (attempt > 1 || index > 0) return
    for (const wanted of trial.cancels?.[script] ?? []) {
      if (wanted.step !== step) continue
      const noted = { undo: wanted.undo, from: moments[script]!.length, to: 0, answer: false }
      cancellings[script]!.push(noted)
      noted.answer = await client.run(run.id).cancel('not wanted', { undo: wanted.undo })
      noted.to = moments[script]!.length
    }
  }
  const real = pipelineOf(`trial-${count++}`, trial, moments, cancel)
  const worker = await startWorker({ database: database.url, pipelines: [real], leaseSeconds: 3_600 })
  try {
    const answers = await Promise.all(trial.scripts.map((_, script) => client.start(real, { script })))
    const runs = answers.map(({ run }) => run!.id)
    await until('every run ended', () => areFinished(database, runs), endWithinMs)
    // What a run that failed has left behind ends too.
    await worker.stop()
    return await Promise.all(
      runs.map(async (run, script) => ({
        ...(await runOf(database, run)),
        attempts: await rankedAttempts(database, run),
        moments: moments[script]!,
        cancellings: cancellings[script]!,
      })),
    )
  } finally {
    await worker.stop({ force: true })
    await client.close()
  }
}

/** The attempts with the order in which they ended, in all the digits that the database has. */
async function rankedAttempts(database: TestDatabase, run: string): Promise<Observed['attempts']> {
  const ranks = await database.query<{ step: string; item: number; attempt: number; rank: number }>(
    `select step, item, attempt, dense_rank() over (order by finished_at)::int as rank
       from millrace.attempt where run_id = $1 order by step, item, attempt`,
    [run],
  )
  return (await attemptsOf(database, run)).map((attempt, n) => ({ ...attempt, rank: ranks[n]!.rank }))
}

async function areFinished(database: TestDatabase, runs: readonly string[]): Promise<boolean> {
  const open = await database.query(
    'select from millrace.run where id = any ($1::uuid[]) and finished_at is null',
    [runs],
  )
  return open.length === 0
}

/** The builder without its types: these names are not known to the compiler. */
interface Builder {
  step(name: string, options: object, handler: (context: HandlerContext) => unknown): Builder
  map(name: string, options: object, handler: (context: HandlerContext) => unknown): Builder
  undo(options: object, handler: (context: HandlerContext) => unknown): Builder
  onFailure(options: object, handler: (context: HandlerContext) => unknown): Builder
  onSuccess(options: object, handler: (context: HandlerContext) => unknown): Builder
}

type CancelRun = (script: number, context: HandlerContext) => Promise<void>

function pipelineOf(
  slug: string,
  { graph, scripts, undos = {}, onFailure, onSuccess, cancels = [] }: Trial & Partial<EndingTrial>,
  moments: Moment[][],
  cancel: CancelRun,
): PipelineDefinition {
  const input = z.object({ script: z.number() })
  let built = pipeline(slug, { input }) as unknown as Builder
  const cancelling = new Set(cancels.flat().map(({ step }) => step))
  const playerOf = (name: string, { turns }: Pick<TrialStep, 'turns'>, asks: boolean) =>
    new Player(turns, asks, scripts, moments, cancelling.has(name) ? cancel : undefined)
  const ending = (name: string, step: EndingStep) => {
    const player = playerOf(name, step, false)
    const { attempts, tx } = step
    return [
      { tx, retry: { attempts, initial: 0, jitter: 'none' } },
      (context: HandlerContext) => player.handle(context),
    ] as const
  }
  for (const step of graph) {
    const { name, over, concurrency, failAfter, queue, onError, ifSkipped, after, tx } = step
    const asks = scripts.some((script) => (script[name] ?? []).flat().some(({ kind }) => kind === 'unwanted'))
    const player = playerOf(name, step, asks)
    const options = {
      after,
      queue,
      onError,
      ifSkipped,
      retry: { attempts: step.attempts, initial: 0, jitter: 'none' },
      ...(asks && { when: (context: HandlerContext) => player.isWanted(context) }),
    }
    const handler = (context: HandlerContext) => player.handle(context)
    built =
      over === undefined
        ? built.step(name, { ...options, tx }, handler)
        : built.map(
            name,
            {
              ...options,
              over,
              ...(concurrency !== undefined && { concurrency }),
              ...(failAfter !== undefined && { failAfter }),
            },
            handler,
          )
    const undo = undos[name]
    if (undo !== undefined) built = built.undo(...ending(undoOf(name), undo))
  }
  if (onFailure !== undefined) built = built.onFailure(...ending('on-failure', onFailure))
  if (onSuccess !== undefined) built = built.onSuccess(...ending('on-success', onSuccess))
  return built as unknown as PipelineDefinition
}

/** Condition and handler of one step: they do what the script of the run says, and note when. */
class Player {
  readonly #turns: number
  readonly #asks: boolean
  readonly #scripts: readonly Script[]
  readonly #moments: readonly Moment[][]
  readonly #cancel: CancelRun | undefined

  constructor(
    turns: number,
    asks: boolean,
    scripts: readonly Script[],
    moments: readonly Moment[][],
    cancel: CancelRun | undefined,
  ) {
    this.#turns = turns
    this.#asks = asks
    this.#scripts = scripts
    this.#moments = moments
    this.#cancel = cancel
  }

  isWanted(context: HandlerContext): boolean {
    this.#note('begin', context)
    if (this.#act(context).kind !== 'unwanted') return true
    this.#note('end', context)
    return false
  }

  handle(context: HandlerContext): unknown {
    if (!this.#asks) this.#note('begin', context)
    return this.#turns === 0 && this.#cancel === undefined ? this.#end(context) : this.#endLater(context)
  }

  async #endLater(context: HandlerContext): Promise<unknown> {
    await this.#cancel?.(scriptOf(context.input), context)
    for (let n = 0; n < this.#turns; n++) await turn()
    return this.#end(context)
  }

  #end(context: HandlerContext): unknown {
    this.#note('end', context)
    const act = this.#act(context)
    if (act.kind === 'complete') return act.output
    if (act.kind === 'permanent') throw new PermanentError('never', { code: 'Error' })
    throw new Error('not now')
  }

  #act({ input, step, index = -1, attempt }: HandlerContext) {
    return actOf(this.#scripts[scriptOf(input)]!, step, index, attempt)
  }

  #note(kind: Moment['kind'], context: HandlerContext) {
    const { input, step, steps, index: item = -1, attempt, item: value, outcome, output, error } = context
    const told = outcome === undefined ? {} : { told: { outcome, output, error } }
    const moments = this.#moments[scriptOf(input)]!
    moments.push({
      kind,
      step,
      item,
      attempt,
      ...(kind === 'begin' && { seen: { ...steps }, value, ...told }),
    })
  }
}

const scriptOf = (input: unknown): number => (input as { script: number }).script
