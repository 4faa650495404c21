// One drain: runs of one step that wait already when a worker starts, until the last of them is recorded.
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import { withClient } from './local-worker.ts'
import { perSecond } from './measure.ts'
import { givenInput, oneStep } from './pipelines.ts'
import { type PipelineDefinition, startWorker } from './product.ts'

/** A look at each turn would take a core from the server. */
const lookMs = 1

export interface DrainOptions {
  readonly database: string
  readonly runs: number
  readonly slots: number
  /** What each run gets, by its number; left out: all the same. */
  readonly inputOf?: (n: number) => { n: number }
  /** What the worker serves as well. */
  readonly beside?: readonly PipelineDefinition[]
}

/** Runs a second, from the moment at which the worker is told to start: its connecting and registering count. */
export async function drainedPerSecond(
  bench: Bench,
  { database, runs, slots, inputOf = () => givenInput, beside = [] }: DrainOptions,
): Promise<number> {
  let begun = 0
  const pipeline = oneStep(() => begun++)
  await withClient(database, (client) =>
    client.startMany(
      pipeline,
      Array.from({ length: runs }, (_, n) => inputOf(n)),
    ),
  )
  let stop = async () => {}
  const rate = await perSecond(runs, () =>
    bench.profiled(async () => {
      const worker = await startWorker({ database, pipelines: [pipeline, ...beside], slots })
      stop = () => worker.stop()
      // A task is held until the database has answered that its outcome is recorded.
      while (begun < runs || worker.held > 0) await pause(lookMs)
    }),
  )
  await stop()
  return rate
}
