// The pipeline on a database: what a run writes, and that a step which runs twice changes nothing.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Mock, TestEngine } from '../../src/testing/index.ts'
import { createEngine } from '../../test/engine.ts'
import { airportsOf } from './data.ts'
import { type Connection, createReportTable, type ReportRow, writeReport } from './schema.ts'
import { territorySweep } from './territory-sweep.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await createEngine([territorySweep])
  await createReportTable(engine.pool)
})

afterAll(() => engine.close())

test('a run writes each airport of its territory once, and tells what it found', async () => {
  const summary = await sweep('CT')
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

test('FO-8 PP-C12 every step of the example runs twice and leaves the same rows', async () => {
  await sweep('RI')
  const once = await reportOf('RI')
  const mocks = losingFirstAttempts()
  await sweep('RI')
  for (const mock of mocks.values()) mock.restore()
  expect(await reportOf('RI')).toEqual(once)
  expect(once).toHaveLength(6)
  const attempts = Object.fromEntries([...mocks].map(([step, { calls }]) => [step, calls.length]))
  expect(attempts).toEqual({ search: 2, enrich: 12, score: 2, store: 2, summary: 2 })
})

test('PP-C12 the one step of the example that writes says so, and no other has written anything', async () => {
  await sweep('VT')
  const written = await engine.query(
    `select step, writes from millrace.attempt a join millrace.run r on r.id = a.run_id
      where r.input ->> 'state' = 'VT' and writes <> '{}' order by step`,
  )
  expect(written).toEqual([
    { step: 'store', writes: { 'public.territory_report': { inserted: 13, updated: 0, deleted: 0 } } },
  ])
  const saying = territorySweep.graph.steps.filter(({ tx }) => tx).map(({ name }) => name)
  expect(saying).toEqual(['store'])
})

test('PP-C11 each stage follows the stage before it: rows that are there already, or are gone, keep nothing from being swept', async () => {
  await sweep('NH')
  const once = await reportOf('NH')
  expect(once.length).toBeGreaterThan(5)
  // Every column is filled by now: what looked for empty ones would find nothing to do.
  const mocks = new Map(
    (['search', 'enrich', 'score'] as const).map((step) => [
      step,
      engine.mock(territorySweep, step, (context, own) => own(context)),
    ]),
  )
  await sweep('NH')
  const attempts = [...mocks].map(([step, { calls }]) => [step, calls.length])
  expect(attempts).toEqual([
    ['search', 1],
    ['enrich', once.length],
    ['score', 1],
  ])
  expect(await reportOf('NH')).toEqual(once)
  // Emptied between two stages: the next one has its list from the stage before it, not from the table.
  mocks.get('score')!.restore()
  const emptying = engine.mock(territorySweep, 'score', async (context, own) => {
    await engine.query(`delete from territory_report where state = 'NH'`)
    return await own(context)
  })
  await sweep('NH')
  emptying.restore()
  for (const mock of mocks.values()) mock.restore()
  expect(await reportOf('NH')).toEqual(once)
})

test('FO-8 a second sweep leaves the same rows, under its own run', async () => {
  await sweep('DE')
  const [before, runs] = [await reportOf('DE'), await runsOf('DE')]
  await sweep('DE')
  expect(await reportOf('DE')).toEqual(before)
  const after = await runsOf('DE')
  expect(after).toHaveLength(1)
  expect(after).not.toEqual(runs)
})

test('a second write by the same run is refused', async () => {
  const report = { state: 'ZZ', runId: randomUUID(), rows: rowsOf(3) }
  await writeReport(engine.pool, report)
  await expect(writeReport(engine.pool, report)).rejects.toThrow('territory_report_pkey')
  expect(await reportOf('ZZ')).toHaveLength(3)
})

test('PP-C3 a territory is written in two statements, however many airports it has', async () => {
  for (const count of [1, 300]) {
    const counted = countingStatements(engine.pool)
    await writeReport(counted, { state: 'ZZ', runId: randomUUID(), rows: rowsOf(count) })
    expect(counted.statements).toBe(2)
  }
})

test('a territory without an airport fails at once', async () => {
  await expect(sweep('QQ')).rejects.toThrow("There is no airport in 'QQ'.")
})

test('a run of no state at all is refused', async () => {
  await expect(engine.start(territorySweep, { state: 'Texas' })).rejects.toThrow('two capital letters')
})

/** Runs one territory, and lets the delays of its retries pass. */
async function sweep(state: string): Promise<unknown> {
  const run = await engine.start(territorySweep, { state })
  await engine.runUntilIdle({ advanceTime: true })
  return await engine.result(run)
}

/** Lets the first attempt at everything do its work and be lost then. */
function losingFirstAttempts(): Map<string, Mock> {
  const steps = [...territorySweep.handlers.keys()]
  return new Map(
    steps.map((step) => [
      step,
      engine.mock(territorySweep, step, async (context, own) => {
        const output = await own(context)
        if (context.attempt === 1) throw new Error('lost after its work was done')
        return output
      }),
    ]),
  )
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
  const rows = await engine.query<ReportRow & { row: ReportRow }>(
    "select to_jsonb(r) - 'run_id' as row from territory_report r where state = $1 order by rank",
    [state],
  )
  return rows.map(({ row }) => row)
}

async function runsOf(state: string): Promise<unknown[]> {
  return await engine.query('select distinct run_id from territory_report where state = $1', [state])
}
