// From a start to the beginning of its handler where the worker lives in the starting process: handed over already leased.
import { setTimeout as pause } from 'node:timers/promises'
import type { Figure } from '../figure.ts'
import { idleCommits } from '../floors/commits.ts'
import { withLocalWorker } from '../local-worker.ts'
import { inSequence, median, takeTurns } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'
import type { Client } from '../product.ts'

const pauseMs = 10

export const handOver: Figure = {
  name: 'hand-over',
  measure: (bench) =>
    bench.withDatabase(async ({ url, pool }) => {
      const samples = bench.size(200)
      const begins = new Begins()
      const turns = await withLocalWorker({ database: url, pipelines: [begins.pipeline] }, ({ client }) =>
        takeTurns(
          bench.rounds,
          async () => median((await idleCommits(pool, samples)).one),
          async () => median(await inSequence(samples, () => begins.delayMs(client))),
        ),
      )
      return [{ label: 'start to begin, same process, p50', ...turns, unit: 'ms', goal: { atMost: 1.5 } }]
    }),
}

/** Tells when the handler of the run that was just started begins. */
export class Begins {
  #began: (at: number) => void = () => {}
  readonly pipeline = oneStep(() => this.#began(performance.now()))

  /** After a pause in which all comes to rest, how long a start takes until its handler begins. */
  async delayMs(client: Client): Promise<number> {
    await pause(pauseMs)
    const began = new Promise<number>((resolve) => {
      this.#began = resolve
    })
    const startedMs = performance.now()
    const started = client.start(this.pipeline, givenInput)
    const delayMs = (await began) - startedMs
    await started
    return delayMs
  }
}
