// A trial: the real pipeline of a graph, run by a real worker on a real database, with handlers that do what a script says.
import { setImmediate as turn } from 'node:timers/promises'
import { z } from 'zod'
import { PermanentError } from '../../src/core/errors.ts'
import { connect } from '../../src/sdk/client.ts'
import type { HandlerContext } from '../../src/sdk/context.ts'
import { pipeline, type PipelineDefinition } from '../../src/sdk/pipeline.ts'
import { startWorker } from '../../src/worker/worker.ts'
import type { TestDatabase } from '../database.ts'
import { until } from '../deadline.ts'
import { attemptsOf, runOf } from '../protocol.ts'
import type { Trial, TrialStep } from './graph-arbitrary.ts'
import { actOf, type Script } from './graph-model.ts'
import type { Moment, Observed } from './graph-verdict.ts'

const endWithinMs = 20_000
let count = 0

/** What each run of the trial did, script by script. */
export async function runTrial(database: TestDatabase, trial: Trial): Promise<Observed[]> {
  const moments = trial.scripts.map((): Moment[] => [])
  const real = pipelineOf(`trial-${count++}`, trial, moments)
  const worker = await startWorker({ database: database.url, pipelines: [real], leaseSeconds: 3_600 })
  const client = connect({ database: database.url })
  try {
    const answers = await Promise.all(trial.scripts.map((_, script) => client.start(real, { script })))
    const runs = answers.map(({ run }) => run!.id)
    await until('every run ended', () => areFinished(database, runs), endWithinMs)
    // What a run that failed has left behind ends too.
    await worker.stop()
    return await Promise.all(
      runs.map(async (run, script) => ({
        ...(await runOf(database, run)),
        attempts: await attemptsOf(database, run),
        moments: moments[script]!,
      })),
    )
  } finally {
    await worker.stop({ force: true })
    await client.close()
  }
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
}

function pipelineOf(slug: string, { graph, scripts }: Trial, moments: Moment[][]): PipelineDefinition {
  const input = z.object({ script: z.number() })
  let built = pipeline(slug, { input }) as unknown as Builder
  for (const step of graph) {
    const { name, over, concurrency, failAfter, queue, onError, ifSkipped, after, tx } = step
    const asks = scripts.some((script) => (script[name] ?? []).flat().some(({ kind }) => kind === 'unwanted'))
    const player = new Player(step, asks, scripts, moments)
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
  }
  return built as unknown as PipelineDefinition
}

/** Condition and handler of one step: they do what the script of the run says, and note when. */
class Player {
  readonly #step: TrialStep
  readonly #asks: boolean
  readonly #scripts: readonly Script[]
  readonly #moments: readonly Moment[][]

  constructor(step: TrialStep, asks: boolean, scripts: readonly Script[], moments: readonly Moment[][]) {
    this.#step = step
    this.#asks = asks
    this.#scripts = scripts
    this.#moments = moments
  }

  isWanted(context: HandlerContext): boolean {
    this.#note('begin', context)
    if (this.#act(context).kind !== 'unwanted') return true
    this.#note('end', context)
    return false
  }

  handle(context: HandlerContext): unknown {
    if (!this.#asks) this.#note('begin', context)
    return this.#step.turns === 0 ? this.#end(context) : this.#endLater(context)
  }

  async #endLater(context: HandlerContext): Promise<unknown> {
    for (let n = 0; n < this.#step.turns; n++) await turn()
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

  #note(
    kind: Moment['kind'],
    { input, step, steps, index: item = -1, attempt, item: value }: HandlerContext,
  ) {
    const moments = this.#moments[scriptOf(input)]!
    moments.push({ kind, step, item, attempt, ...(kind === 'begin' && { seen: { ...steps }, value }) })
  }
}

const scriptOf = (input: unknown): number => (input as { script: number }).script
