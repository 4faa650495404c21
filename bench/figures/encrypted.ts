// Three-step runs a second with inputs and outputs encrypted, against the same without.
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { inFlight, perSecond, takeTurns } from '../measure.ts'
import { connect, pipeline, startWorker } from '../product.ts'

const width = 50
const given = { n: 1, name: 'somebody', address: 'somewhere in a town of some size' }
const encryptionKeys = { k1: randomBytes(32).toString('base64') }

const input = z.object({ n: z.number(), name: z.string(), address: z.string() })

export const encrypted: Figure = {
  name: 'encrypted',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

async function measure(bench: Bench, database: BenchDatabase): Promise<Row[]> {
  const turns = await takeTurns(
    bench.rounds,
    () => runsPerSecond(bench, database, false),
    () => runsPerSecond(bench, database, true),
  )
  return [
    {
      label: 'three-step runs, encrypted against in the clear',
      ...turns,
      unit: 'runs/s',
      goal: { atLeast: 0.85 },
      note: `${width} in flight`,
    },
  ]
}

async function runsPerSecond(bench: Bench, { url }: BenchDatabase, encrypt: boolean): Promise<number> {
  const steps = pipeline(encrypt ? 'encrypted' : 'in-the-clear', { input, encrypt })
    .step('one', ({ input: { name } }) => ({ name, ok: 1 }))
    .step('two', ({ steps: { one } }) => ({ ...one, ok: 2 }))
    .step('three', ({ steps: { two } }) => ({ ...two, ok: 3 }))
  const client = connect({ database: url, encryptionKeys })
  const worker = await startWorker({ database: url, pipelines: [steps], slots: 2 * width, encryptionKeys })
  const runs = bench.size(20_000)
  try {
    const oneRun = async () => {
      const { run } = await client.start(steps, given)
      await client.run(run!).result()
    }
    return await perSecond(runs, () => bench.profiled(() => inFlight(width, runs, oneRun)))
  } finally {
    await worker.stop()
    await client.close()
  }
}
