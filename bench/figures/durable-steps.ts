// A step of a thousand durable operations: one after the other, all at once, and resumed where it was left.
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { checkpointsAtOnce, checkpointsInSequence } from '../floors/checkpoints.ts'
import { withLocalWorker } from '../local-worker.ts'
import { millisecondsOf, repeat, takeTurns } from '../measure.ts'
import { type Client, pipeline } from '../product.ts'

const count = 1_000
const numbers = Array.from({ length: count }, (_, n) => n)

export const durableSteps: Figure = {
  name: 'durable-steps',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

/** Pipelines whose handlers time themselves: the run around them is measured by other figures. */
function timed(times: number[]) {
  const retry = { attempts: 2, initial: 0, jitter: 'none' } as const
  return {
    sequence: pipeline('durable-sequence').step('work', async ({ durable }) => {
      times.push(
        await millisecondsOf(async () => {
          for (const n of numbers) await durable.run(`part-${n}`, () => ({ ok: 1 }))
        }),
      )
    }),
    together: pipeline('durable-together').step('work', async ({ durable }) => {
      times.push(
        await millisecondsOf(() =>
          Promise.all(numbers.map((n) => durable.run(`part-${n}`, () => ({ ok: 1 })))),
        ),
      )
    }),
    resumed: pipeline('durable-resumed', { retry }).step('work', async ({ durable, attempt }) => {
      const ms = await millisecondsOf(async () => {
        for (const n of numbers) {
          if (attempt === 1 && n === count - 1) throw new Error('it dies before the last one')
          await durable.run(`part-${n}`, () => ({ ok: 1 }))
        }
      })
      times.push(ms)
    }),
  }
}

async function measure(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const times: number[] = []
  const pipelines = timed(times)
  return withLocalWorker({ database: url, pipelines: Object.values(pipelines) }, async ({ client }) => {
    const ours = (name: keyof typeof pipelines) => () =>
      bench.profiled(() => oneTime(client, pipelines[name], times))
    return [
      {
        label: `${count.toLocaleString('en-US')} durable.run in a row`,
        ...(await takeTurns(bench.rounds, () => checkpointsInSequence(pool, count), ours('sequence'))),
        unit: 'ms',
        goal: { atMost: 1.5 },
        note: 'a commit each',
      },
      {
        label: 'the same in Promise.all',
        ...(await takeTurns(bench.rounds, () => checkpointsAtOnce(pool, count), ours('together'))),
        unit: 'ms',
        goal: { atMost: 1.2 },
        note: 'one statement',
      },
      {
        label: 'resumed after a crash at 999',
        ours: await repeat(bench.rounds, ours('resumed')),
        unit: 'ms',
        goal: { atMost: 100 },
        note: 'from the beginning of the handler to its end',
      },
    ]
  })
}

async function oneTime(
  client: Client,
  given: Parameters<Client['start']>[0],
  times: number[],
): Promise<number> {
  const { run } = await client.start(given, null)
  await client.run(run!).result()
  return times.pop()!
}
