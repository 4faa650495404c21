// Lists of runs and pipelines: filters, order, bounds, and the index that they use.
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { registerPipeline, registerWorker, workOff } from '../../test/protocol.ts'
import { type RunState, runStates } from '../core/state.ts'
import { type Caller, poolCaller } from './call.ts'
import { listDeadLetters } from './dead-letters.ts'
import { listRuns, readRunValues, runQuery } from './run-list.ts'
import { readProgress } from './streams.ts'

let database: TestDatabase
let caller: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
  for (const [slug, names] of [
    ['sweep', ['a']],
    ['sweep', ['a', 'b']],
    ['other', ['a']],
  ] as const) {
    const steps = names.map((name, index) => ({ name, after: names.slice(0, index) }))
    await database.query('select millrace.register_pipeline($1, $2)', [
      slug,
      JSON.stringify({ key: [], steps }),
    ])
  }
})
afterAll(() => database.close())

async function start(slug: string, version: number, more: { tenant?: string } = {}): Promise<string> {
  await database.clock.advance(1)
  const rows = await database.query<{ run_id: string }>(
    'select run_id from millrace.start_run($1, $2, version => $3, tenant => $4)',
    [slug, { version }, version, more.tenant ?? null],
  )
  return rows[0]?.run_id ?? ''
}

test('the newest come first, over all versions of a pipeline, and no more than asked for', async () => {
  const first = await start('sweep', 2)
  const second = await start('sweep', 1)
  const other = await start('other', 1, { tenant: 'acme' })
  const third = await start('sweep', 2)
  const ids = async (filter: object, limit = 10): Promise<string[]> =>
    (await listRuns(caller, { ...filter, limit })).map(({ id }) => id)
  expect(await ids({})).toEqual([third, other, second, first])
  expect(await ids({}, 2)).toEqual([third, other])
  expect(await ids({ pipeline: 'sweep' })).toEqual([third, second, first])
  expect(await ids({ pipeline: 'sweep' }, 2)).toEqual([third, second])
  expect(await ids({ tenant: 'acme' })).toEqual([other])
  await database.query('select millrace.cancel_run($1)', [second])
  expect(await ids({ states: ['cancelled', 'failed'] })).toEqual([second])
  expect(await ids({ pipeline: 'nobody' })).toEqual([])
})

test('progress counts steps, and the items of a map once they are known', async () => {
  const run = await start('sweep', 2)
  expect(await readProgress(caller, run)).toMatchObject({ state: 'pending', done: 0, known: 2 })
  await database.query("select * from millrace.start_step($1, 'a')", [run])
  await database.query("select millrace.complete_step($1, 'a', 1, '1')", [run])
  expect(await readProgress(caller, run)).toMatchObject({ state: 'running', done: 1, known: 2 })
  expect(await readRunValues(caller, run)).toEqual({ input: { version: 2 }, output: null, headers: null })
})

test('what undoes a step, and what follows one end or the other, is none of the steps that are to come', async () => {
  const { steps } = await registerPipeline(database, 'undoable', [
    { name: 'pay' },
    { name: 'send', after: ['pay'] },
    { name: 'refund', kind: 'undo', undoes: 'pay' },
    { name: 'cheer', kind: 'finally', follows: 'completed' },
    { name: 'mourn', kind: 'finally', follows: 'failed' },
  ])
  const worker = await registerWorker(database, { handlers: steps.map(({ handler }) => handler) })
  const run = await start('undoable', 1)
  expect(await readProgress(caller, run)).toMatchObject({ done: 0, known: 2, percent: 0 })
  await workOff(database, worker)
  expect(await readProgress(caller, run)).toMatchObject({
    state: 'completed',
    done: 2,
    known: 2,
    percent: 100,
  })
})

/** Every set of states, as bits choose them. */
const stateSets = Array.from({ length: 2 ** runStates.length - 1 }, (_, bits) =>
  runStates.filter((_, place) => ((bits + 1) >> place) & 1),
)

test('whatever the states, the same runs are found as by looking at each, page by page, also after one was redriven', async () => {
  const made: string[] = []
  for (let n = 0; n < 24; n++) {
    const run = await start(n % 3 === 0 ? 'other' : 'sweep', 1)
    made.push(run)
    if (n % 6 === 1) await database.query('select millrace.cancel_run($1)', [run])
    if (n % 6 === 2) await failRun(run)
    if (n % 6 === 3) {
      await database.query("select * from millrace.start_step($1, 'a')", [run])
      await database.query("select millrace.complete_step($1, 'a', 1, '1')", [run])
    }
    if (n % 6 === 4) await database.query("select * from millrace.start_step($1, 'a')", [run])
    if (n === 8) await database.query('select millrace.start_redrive($1)', [JSON.stringify({ runs: [run] })])
    if (n === 14) {
      await database.query('select millrace.start_redrive($1)', [JSON.stringify({ runs: [run] })])
      await database.query('select millrace.cancel_run($1)', [run])
    }
  }
  const all = await database.query<{ id: string; slug: string; state: RunState }>(
    'select id, slug, state from millrace.run order by id desc',
  )
  expect(new Set(all.map(({ state }) => state)).size).toBeGreaterThanOrEqual(5)
  for (const states of stateSets)
    for (const pipeline of [undefined, 'sweep', 'other']) {
      const found: string[] = []
      for (let before: string | undefined; ; before = found.at(-1)) {
        const rows = await listRuns(caller, { states, pipeline, before, limit: 5 })
        found.push(...rows.map(({ id }) => id))
        if (rows.length < 5) break
      }
      const wanted = all.filter(({ slug, state }) => states.includes(state) && (pipeline ?? slug) === slug)
      expect({ states, pipeline, found }).toEqual({ states, pipeline, found: wanted.map(({ id }) => id) })
    }
})

async function failRun(run: string): Promise<void> {
  await database.query("select * from millrace.start_step($1, 'a')", [run])
  await database.query(
    `select millrace.fail_step($1, 'a', 1, '{"code":"x","message":"y","retryable":false}')`,
    [run],
  )
}

test('a run that a function of the release before ended is listed as what it became', async () => {
  const id = await start('sweep', 1)
  // As its call began before the migration, and ended behind it.
  await database.query(
    "update millrace.run set state = 'cancelled', finished_at = created_at where id = $1",
    [id],
  )
  const rows = await listRuns(caller, { states: ['cancelled'], limit: 5 })
  expect(rows.map((row) => row.id)).toContain(id)
})

test('runs in a state that few have are found without a look at those that have completed', async () => {
  const client = await database.pool.connect()
  try {
    // However the statistics stand: no index of the runs is walked, and they are only looked up by their ids.
    await client.query('begin; set local enable_seqscan = off')
    const { statement, values } = runQuery({ pipeline: 'sweep', states: ['failed', 'running'], limit: 50 })
    await client.query(`prepare listed as ${statement.text}`)
    const literals = values.map((value) =>
      pg.escapeLiteral(Array.isArray(value) ? `{${value.join(',')}}` : String(value)),
    )
    const given = values.map((value, index) => (value === null ? 'null' : literals[index]))
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `explain execute listed(${given.join(', ')})`,
    )
    const plan = rows.map((line) => line['QUERY PLAN']).join('\n')
    expect(plan).not.toMatch(
      /Seq Scan on run|run_\w+_slug_version_id_idx on run_\w+ r\s.*\n\s*Index Cond: \(slug = '\w+'::text\)$/m,
    )
    expect(plan).toMatch(/unsuccessful_run_of_pipeline/)
  } finally {
    await client.query('rollback; deallocate all')
    client.release()
  }
})

test('JQ-13 what is looked for is a text and never a pattern: no sign of it stands for another', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({
        unit: fc.constantFrom('%', '_', '\\', '*', "'", '"', ';', '-', 'a', '$1'),
        minLength: 1,
        maxLength: 12,
      }),
      async (text) => {
        for (const filter of [{ key: text }, { tenant: text }, { pipeline: text }, { fingerprint: text }])
          expect(await listRuns(caller, { ...filter, limit: 5 })).toEqual([])
        expect(await listDeadLetters(caller, { tenant: text, limit: 5 })).toEqual([])
      },
    ),
    { numRuns: 60 },
  )
})
