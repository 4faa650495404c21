// Forks and reruns: a new run of another one, with what stands before a step copied and not done again, and the lineage of both.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workAs } from '../../../test/failing-worker.ts'
import {
  attemptsOf,
  chain,
  connect,
  newId,
  outcomesOf,
  registerPipeline,
  registerWorker,
  runOf,
  type Sql,
  startRun,
  type StepSpec,
  untilBlocked,
} from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
  await database.close()
})
beforeEach(async () => {
  await database.query("select millrace.stop_worker(id, lock_key) from millrace.worker where state <> 'gone'")
})

interface Copied {
  created: boolean
  new_run: string
  refusal: string | null
  detail: string | null
}

async function fork(
  run: string,
  step: string,
  options: { id?: string; input?: unknown; keep?: boolean } = {},
  sql: Sql = database,
): Promise<Copied> {
  const [row] = await sql.query<Copied & Record<string, unknown>>(
    'select * from millrace.fork_run($1, $2, $3, input => $4, keep_checkpoints => $5)',
    [
      run,
      step,
      options.id ?? null,
      options.input === undefined ? null : JSON.stringify(options.input),
      options.keep ?? false,
    ],
  )
  return row!
}

test('a fork begins at its step: what stands before and beside it is copied, and what comes after is done again', async () => {
  const steps: StepSpec[] = [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
    { name: 'beside', after: [] },
    { name: 'join', after: ['each', 'beside'] },
    { name: 'last', after: ['join'] },
  ]
  await registerPipeline(database, 'forked', steps)
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'forked', { n: 1 })
  const done: string[] = []
  const judge = (step: string, { item }: { item: number }) => {
    done.push(item < 0 ? step : `${step} ${item}`)
    if (step === 'list') return { output: [1, 2] }
    return { output: item < 0 ? step : item }
  }
  await workAs(database, worker, judge)
  const atJoin = await fork(run, 'join')
  const atMap = await fork(run, 'each', { input: { n: 2 } })
  expect([atJoin.created, atMap.created]).toEqual([true, true])
  done.length = 0
  await workAs(database, worker, judge)
  expect(done.toSorted()).toEqual(['each 0', 'each 1', 'join', 'join', 'last', 'last'])
  expect(await runOf(database, atJoin.new_run)).toMatchObject({
    state: 'completed',
    output: 'last',
    input: { n: 1 },
  })
  expect(await runOf(database, atMap.new_run)).toMatchObject({
    state: 'completed',
    output: 'last',
    input: { n: 2 },
  })
  const outputs = await database.query(
    "select output from millrace.read_outputs(array[$1::uuid], array['each'])",
    [atJoin.new_run],
  )
  expect(outputs).toEqual([{ output: [0, 1] }])
  expect((await attemptsOf(database, atJoin.new_run, 'each')).map(({ reason }) => reason)).toEqual([
    `copied from run ${run}`,
    `copied from run ${run}`,
  ])
  const early = await database.query(
    `select a.step from millrace.attempt a join millrace.run r on r.id = a.run_id
      where a.run_id = $1 and least(a.ready_at, a.started_at) < r.created_at`,
    [atJoin.new_run],
  )
  expect(early, 'nothing of a run lies before its start').toEqual([])
  const [told] = await database.query<{ account: { lineage: unknown } }>(
    'select millrace.run_account($1) as account',
    [run],
  )
  expect(told!.account.lineage).toMatchObject({
    of: null,
    total: 2,
    into: expect.arrayContaining([
      expect.objectContaining({ run: atJoin.new_run, kind: 'fork', step: 'join', state: 'completed' }),
      expect.objectContaining({ run: atMap.new_run, kind: 'fork', step: 'each', state: 'completed' }),
    ]),
  })
})

test('a live run can be forked at what it has reached, a failed one where it failed; nothing of them changes', async () => {
  await registerPipeline(database, 'live-fork', chain('a', 'b', 'c'))
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'live-fork')
  await workAs(database, worker, (step) => (step === 'b' ? 'hold' : undefined))
  expect(await fork(run, 'c')).toMatchObject({
    created: false,
    new_run: null,
    refusal: 'not_reached',
    detail: "'c' has not been reached: 'b' not final.",
  })
  expect(await fork(run, 'nowhere')).toMatchObject({ refusal: 'step_unknown' })
  const { new_run } = await fork(run, 'b')
  const second = await registerWorker(database)
  await workAs(database, second, (step) => (step === 'b' ? { fails: 'No.' } : undefined))
  expect(await outcomesOf(database, new_run)).toEqual(['a completed', 'b failed'])
  const again = await fork(new_run, 'b')
  await workAs(database, second, () => undefined)
  expect(await runOf(database, again.new_run)).toMatchObject({ state: 'completed', output: 'c' })
  // A fork decides nothing on the failed run.
  expect(
    await database.query('select 1 from millrace.dead_letter where run_id = $1', [new_run]),
  ).toHaveLength(1)
  expect(await runOf(database, run)).toMatchObject({ state: 'running' })
  await database.query('select millrace.cancel_run($1)', [run])
})

test('the same id is the same fork, also at the same moment; of another run it is taken', async () => {
  await registerPipeline(database, 'twice', chain('a', 'b'))
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'twice')
  await workAs(database, worker, () => undefined)
  const id = newId()
  const one = await connect(database)
  const other = await connect(database)
  await one.query('begin')
  const first = await fork(run, 'b', { id }, one)
  const second = fork(run, 'b', { id }, other)
  await untilBlocked(database)
  await one.query('commit')
  expect(first).toMatchObject({ created: true, new_run: id })
  expect(await second).toMatchObject({ created: false, new_run: id, refusal: 'repeated' })
  await expect(fork(run, 'a', { id })).rejects.toMatchObject({ code: 'MR009' })
  await expect(fork(run, 'a', { id: run })).rejects.toMatchObject({ code: 'MR009' })
  await expect(fork(newId(), 'a')).rejects.toMatchObject({ code: 'MR006' })
  await one.end()
  await other.end()
})

test('a fork whose id a start takes at the same time is told that it is taken', async () => {
  await registerPipeline(database, 'taken', chain('a', 'b'))
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'taken')
  await workAs(database, worker, () => undefined)
  const id = newId()
  const one = await connect(database)
  const other = await connect(database)
  await one.query('begin')
  await startRun(one, 'taken', null, { id })
  const second = fork(run, 'b', { id }, other)
  second.catch(() => {})
  await untilBlocked(database)
  await one.query('commit')
  await expect(second).rejects.toMatchObject({ code: 'MR009' })
  await one.end()
  await other.end()
})

test('a rerun has the input, the tenant, the headers and the priority of its run, and is refused while its key is live', async () => {
  await registerPipeline(database, 'again', chain('a', 'b'), [['n']])
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(
    database,
    'again',
    { n: 1, s: 'x' },
    { tenant: 'acme', priority: 2, headers: { from: 'test' } },
  )
  const rerun = async (input?: unknown) => {
    const [row] = await database.query<Copied & Record<string, unknown>>(
      'select * from millrace.rerun_run($1, input => $2)',
      [run, input === undefined ? null : JSON.stringify(input)],
    )
    return row!
  }
  expect(await rerun()).toMatchObject({ created: false, refusal: 'live' })
  const edited = await rerun({ n: 2, s: 'x', t: null })
  expect(edited).toMatchObject({ created: true })
  expect(await runOf(database, edited.new_run)).toMatchObject({
    input: { n: 2, s: 'x', t: null },
    tenant: 'acme',
    priority: 2,
    headers: { from: 'test' },
    started_via: 'rerun',
    key: '2',
  })
  await workAs(database, worker, () => undefined)
  expect(await rerun()).toMatchObject({ created: true })
  expect(
    await database.query('select kind, step, input_difference from millrace.run_lineage where run_id = $1', [
      edited.new_run,
    ]),
  ).toEqual([
    {
      kind: 'rerun',
      step: null,
      input_difference: [
        { path: ['n'], before: 1, after: 2 },
        { path: ['t'], after: null },
      ],
    },
  ])
  await workAs(database, worker, () => undefined)
})

test('of what a fork copied nothing is undone where it fails; a run that took the place of a failed one undoes it', async () => {
  const steps: StepSpec[] = [
    { name: 'pay', after: [] },
    { name: 'check', after: [] },
    { name: 'ship', after: ['pay', 'check'] },
    { name: 'refund', kind: 'undo', undoes: 'pay' },
  ]
  await registerPipeline(database, 'undoing', steps)
  const worker = await registerWorker(database)
  const { run_id: run } = await startRun(database, 'undoing')
  await workAs(database, worker, () => undefined)
  const { new_run } = await fork(run, 'ship')
  await workAs(database, worker, () => ({ fails: 'No.' }))
  expect(await outcomesOf(database, new_run)).toEqual(['check completed', 'pay completed', 'ship failed'])
  await registerPipeline(database, 'undone-later', steps.slice(0, 3))
  const old = await registerWorker(database)
  const { run_id: failed } = await startRun(database, 'undone-later')
  await workAs(database, old, (step) => (step === 'ship' ? { fails: 'No.' } : undefined))
  await registerPipeline(database, 'undone-later', steps)
  const [order] = await database.query<{ redrive_id: string }>(
    "select redrive_id from millrace.start_redrive($1, version => 'latest')",
    [JSON.stringify({ runs: [failed] })],
  )
  const [item] = await database.query<{ new_run_id: string }>(
    'select new_run_id from millrace.redrive_item where redrive_id = $1',
    [order!.redrive_id],
  )
  await workAs(database, await registerWorker(database), (step) =>
    step === 'ship' ? { fails: 'No.' } : undefined,
  )
  expect(await outcomesOf(database, item!.new_run_id)).toEqual([
    'check completed',
    'pay completed',
    'refund completed',
    'ship failed',
  ])
})

test('JQ-10 a change that was decided on an older revision is refused with the state that there is now', async () => {
  await registerPipeline(database, 'revised', chain('a'))
  const { run_id: run } = await startRun(database, 'revised')
  const call = (text: string) => database.query<{ changed: boolean }>(`select ${text} as changed`, [run])
  expect(await call('millrace.pause_run($1, if_revision => 0)')).toEqual([{ changed: true }])
  for (const change of [
    "millrace.cancel_run($1, 'late', if_revision => 0)",
    'millrace.resume_run($1, if_revision => 0)',
    'millrace.pause_run($1, if_revision => 0)',
    'millrace.prioritize_run($1, 1, if_revision => 0)',
  ])
    await expect(call(change)).rejects.toMatchObject({ code: 'MR030' })
  const refused = await call('millrace.resume_run($1, if_revision => 0)').catch((error: unknown) => error)
  expect(JSON.parse((refused as { detail: string }).detail)).toMatchObject({
    runId: run,
    seen: 0,
    revision: 1,
    state: 'pending',
    pausedAt: expect.any(String),
  })
  expect(await call('millrace.prioritize_run($1, 1, if_revision => 1)')).toEqual([{ changed: true }])
  expect(await call('millrace.resume_run($1, if_revision => 2)')).toEqual([{ changed: true }])
  expect(await database.query('select priority from millrace.task where run_id = $1', [run])).toEqual([
    { priority: 1 },
  ])
  // Without a revision nobody asks.
  expect(await call('millrace.cancel_run($1)')).toEqual([{ changed: true }])

  const change = (text: string) => database.query(`select ${text} as changed`)
  await change("millrace.pause_pipeline('revised', 'why', if_revision => 0)")
  for (const stale of [
    "millrace.pause_pipeline('revised', if_revision => 0)",
    "millrace.resume_pipeline('revised', if_revision => 0)",
    "millrace.activate_pipeline('revised', 1, if_revision => 0)",
    "millrace.split_pipeline('revised', array[1], array[1], if_revision => 0)",
  ])
    await expect(change(stale)).rejects.toMatchObject({ code: 'MR030' })
  await change("millrace.resume_pipeline('revised', if_revision => 1)")
})

test('JQ-10 of two people who change what they both saw, one is refused', async () => {
  await registerPipeline(database, 'both', chain('a'))
  const { run_id: run } = await startRun(database, 'both')
  const one = await connect(database)
  const other = await connect(database)
  await one.query('begin')
  await one.query('select millrace.prioritize_run($1, 1, if_revision => 0)', [run])
  const second = other.query('select millrace.prioritize_run($1, 9, if_revision => 0)', [run])
  second.catch(() => {})
  await untilBlocked(database)
  await one.query('commit')
  await expect(second).rejects.toMatchObject({ code: 'MR030' })
  expect(await runOf(database, run)).toMatchObject({ priority: 1, revision: 1 })
  await database.query('select millrace.cancel_run($1)', [run])
  await one.end()
  await other.end()
})
