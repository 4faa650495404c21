// The pipeline on a database: what a run writes, and that a step which runs twice changes nothing.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, connect, type PipelineDefinition } from '../../src/sdk/index.ts'
import { startWorker } from '../../src/worker/index.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { airportsOf } from './data.ts'
import { type Connection, createReportTable, type ReportRow, writeReport } from './schema.ts'
import { territorySweep } from './territory-sweep.ts'

let database: TestDatabase
let client: Client

beforeAll(async () => {
  database = await createTestDatabase()
  client = connect({ database: database.url })
  await createReportTable(database.pool)
})

afterAll(async () => {
  await client.close()
  await database.close()
})

test('a run writes each airport of its territory once, and tells what it found', async () => {
  const summary = await sweep('CT', territorySweep)
  expect(summary).toEqual({
    state: 'CT',
    airports: 15,
    with_flights: 1,
    flights: 58_894,
    counties: 7,
    busiest: 'BDL',
  })
  const rows = await reportOf('CT')
  expect(rows.map(({ airport }) => airport).sort()).toEqual(airportsOf('CT').map(({ code }) => code))
  expect(rows[0]).toMatchObject({ airport: 'BDL', rank: 1, zip_state: 'CT', county: 'Hartford' })
})

test('FO-8 every step of the example runs twice and leaves the same rows', async () => {
  await sweep('RI', territorySweep)
  const once = await reportOf('RI')
  const { pipeline, calls } = losingFirstAttempts(territorySweep)
  await sweep('RI', pipeline)
  expect(await reportOf('RI')).toEqual(once)
  expect(once).toHaveLength(6)
  expect(calls).toEqual({ search: 2, enrich: 12, score: 2, store: 2, summary: 2 })
})

test('FO-8 a second sweep leaves the same rows, under its own run', async () => {
  await sweep('DE', territorySweep)
  const [before, runs] = [await reportOf('DE'), await runsOf('DE')]
  await sweep('DE', territorySweep)
  expect(await reportOf('DE')).toEqual(before)
  const after = await runsOf('DE')
  expect(after).toHaveLength(1)
  expect(after).not.toEqual(runs)
})

test('a second write by the same run is refused', async () => {
  const report = { state: 'ZZ', runId: randomUUID(), rows: rowsOf(3) }
  await writeReport(database.pool, report)
  await expect(writeReport(database.pool, report)).rejects.toThrow('territory_report_pkey')
  expect(await reportOf('ZZ')).toHaveLength(3)
})

test('PP-C3 a territory is written in two statements, however many airports it has', async () => {
  for (const count of [1, 300]) {
    const counted = countingStatements(database.pool)
    await writeReport(counted, { state: 'ZZ', runId: randomUUID(), rows: rowsOf(count) })
    expect(counted.statements).toBe(2)
  }
})

test('a territory without an airport fails at once', async () => {
  await expect(sweep('QQ', territorySweep)).rejects.toThrow("There is no airport in 'QQ'.")
})

test('a run of no state at all is refused', async () => {
  await expect(client.start(territorySweep, { state: 'Texas' })).rejects.toThrow('two capital letters')
})

/** Runs one territory with a worker of its own, moving the clock over the delays of retries. */
async function sweep(state: string, pipeline: PipelineDefinition): Promise<unknown> {
  const { run } = await client.start(territorySweep, { state })
  const worker = await startWorker({ database: database.url, pipelines: [pipeline] })
  try {
    await until(`the run of ${state} has ended`, async () => {
      await database.clock.advance(100)
      await worker.tick()
      const [found] = await database.query<{ ended: boolean }>(
        'select finished_at is not null as ended from millrace.run where id = $1',
        [run?.id],
      )
      return found?.ended === true
    })
    return await client.run(run!).result()
  } finally {
    await worker.stop()
  }
}

/** The same pipeline, whose first attempt at everything does its work and is lost then. */
function losingFirstAttempts(pipeline: PipelineDefinition) {
  const calls: Record<string, number> = {}
  const handlers: PipelineDefinition['handlers'] = new Map(
    [...pipeline.handlers].map(([name, step]) => [
      name,
      {
        ...step,
        handler: async (context) => {
          calls[name] = (calls[name] ?? 0) + 1
          const output = await step.handler(context)
          if (context.attempt === 1) throw new Error('lost after its work was done')
          return output
        },
      },
    ]),
  )
  const get = (target: PipelineDefinition, name: string | symbol): unknown =>
    name === 'handlers' ? handlers : Reflect.get(target, name)
  return { pipeline: new Proxy(pipeline, { get }), calls }
}

function countingStatements(connection: Connection): Connection & { statements: number } {
  const counted = {
    statements: 0,
    query: (text: string, values?: unknown[]) => {
      counted.statements++
      return connection.query(text, values)
    },
  }
  return counted
}

function rowsOf(count: number): ReportRow[] {
  const row = { name: 'n', city: 'c', zip_code: '00000', county: 'c', zip_state: 'ZZ', distance_km: 1 }
  const traffic = { departures: 0, arrivals: 0, destinations: 0 }
  return Array.from({ length: count }, (_, index) => ({
    ...row,
    ...traffic,
    airport: `Z${index}`,
    rank: index + 1,
  }))
}

/** The territory's rows without the run that wrote them, in the order of their rank. */
async function reportOf(state: string): Promise<Array<Omit<ReportRow, 'run_id'>>> {
  const rows = await database.query<ReportRow & { row: ReportRow }>(
    "select to_jsonb(r) - 'run_id' as row from territory_report r where state = $1 order by rank",
    [state],
  )
  return rows.map(({ row }) => row)
}

async function runsOf(state: string): Promise<unknown[]> {
  return await database.query('select distinct run_id from territory_report where state = $1', [state])
}
