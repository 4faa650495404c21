// Batches as workers claim them: how many at once, after how long, by key, and each task in exactly one of them.
import { afterEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  chain,
  connect,
  promote,
  registerPipeline,
  startRun,
  startStep,
  type StepSpec,
  type Worker,
} from '../../../test/protocol.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { seededDraws } from '../../../test/millrace.ts'

const { database } = await openMeeting()

afterEach(() => database.clock.reset())

interface Claimed {
  readonly batch: number | null
  readonly due_ms: number | null
  readonly task_id: string
  readonly run_id: string
  readonly item: number
  readonly attempt: number
  readonly tenant: string | null
  readonly input: { readonly account?: string } | null
}

const batchStep = (size: number, within_ms: number, key?: string[][]): StepSpec[] => [
  { name: 'mail', batch: { size, within_ms, ...(key === undefined ? {} : { key }) } },
]

async function claimBatches(sql: Pick<typeof database, 'query'>, worker: Worker, room = 10) {
  const rows = await sql.query<Claimed & Record<string, unknown>>(
    'select * from millrace.claim_batches($1, $2, $3, $4)',
    [worker.id, worker.lockKey, room, worker.handlers],
  )
  const batches = new Map<number, Claimed[]>()
  for (const row of rows)
    if (row.batch !== null) batches.set(row.batch, [...(batches.get(row.batch) ?? []), row])
  return { batches: [...batches.values()], dueMs: rows.find(({ batch }) => batch === null)?.due_ms ?? null }
}

async function start(slug: string, count: number, input: unknown = null, tenant?: string) {
  const ids: string[] = []
  for (let n = 0; n < count; n++)
    ids.push((await startRun(database, slug, input, tenant === undefined ? {} : { tenant })).run_id)
  return ids
}

const freeze = () => database.clock.freeze(new Date('2030-01-01T00:00:00Z'))

test('tasks lie unclaimed until as many are there as the step takes at once, and go together then', async () => {
  await freeze()
  const worker = await workerOf(database, 'full', batchStep(3, 5_000))
  const [first, second] = await start('full', 2)
  expect(await claimBatches(database, worker)).toEqual({ batches: [], dueMs: 5_000 })
  const [third] = await start('full', 1)
  const { batches, dueMs } = await claimBatches(database, worker)
  expect(batches.map((batch) => batch.map(({ run_id, attempt }) => [run_id, attempt]))).toEqual([
    [
      [first, 1],
      [second, 1],
      [third, 1],
    ],
  ])
  expect(dueMs).toBeNull()
  const states = await database.query('select state from millrace.run where slug = $1', ['full'])
  expect(states).toEqual([{ state: 'running' }, { state: 'running' }, { state: 'running' }])
})

test('what there is goes once the oldest has waited for its time, and never before', async () => {
  await freeze()
  const worker = await workerOf(database, 'due', batchStep(100, 5_000))
  await start('due', 2)
  await database.clock.advance('2 seconds')
  await start('due', 1)
  expect(await claimBatches(database, worker)).toEqual({ batches: [], dueMs: 3_000 })
  await database.clock.advance('2.999 seconds')
  expect(await claimBatches(database, worker)).toEqual({ batches: [], dueMs: 1 })
  await database.clock.advance('1 millisecond')
  const { batches } = await claimBatches(database, worker)
  expect(batches.map((batch) => batch.length)).toEqual([3])
})

test('no more batches come than there is room for, and the rest stays for others', async () => {
  const worker = await workerOf(database, 'room', batchStep(2, 60_000))
  await start('room', 7)
  expect((await claimBatches(database, worker, 2)).batches.map((batch) => batch.length)).toEqual([2, 2])
  const { batches, dueMs } = await claimBatches(database, worker, 2)
  expect(batches.map((batch) => batch.length)).toEqual([2])
  expect(dueMs).toBeGreaterThan(0)
})

test('a batch never mixes the values of its key, and each value waits for itself', async () => {
  await freeze()
  const worker = await workerOf(database, 'keyed', batchStep(2, 5_000, [['account'], ['$tenant']]))
  await start('keyed', 3, { account: 'a' }, 'acme')
  await database.clock.advance('1 second')
  await start('keyed', 1, { account: 'a' }, 'other')
  await start('keyed', 2, { account: 'b' }, 'acme')
  const first = await claimBatches(database, worker)
  expect(first.batches.map((batch) => batch.map(({ input, tenant }) => [input?.account, tenant]))).toEqual([
    [
      ['a', 'acme'],
      ['a', 'acme'],
    ],
    [
      ['b', 'acme'],
      ['b', 'acme'],
    ],
  ])
  expect(first.dueMs).toBe(4_000)
  await database.clock.advance('4 seconds')
  const second = await claimBatches(database, worker)
  expect(second.batches.map((batch) => batch.map(({ tenant }) => tenant))).toEqual([['acme']])
  expect(second.dueMs).toBe(1_000)
})

test('workers that claim at once get each task in exactly one batch, none too large and none too soon', async () => {
  const size = 7
  const workers = await Promise.all(
    [1, 2, 3, 4].map(() => workerOf(database, 'raced', batchStep(size, 60_000, [['account']]))),
  )
  const connections = await Promise.all(workers.map(() => connect(database)))
  const draw = seededDraws('raced')
  const starting = async () => {
    const sql = await connect(database)
    for (let n = 0; n < 300; n++) await startRun(sql, 'raced', { account: `a${Math.floor(draw() * 3)}` })
    await sql.end()
  }
  const seen: Claimed[][] = []
  let done = false
  const claiming = workers.map(async (worker, place) => {
    while (!done) seen.push(...(await claimBatches(connections[place]!, worker, 3)).batches)
  })
  await Promise.all([starting(), starting()])
  for (let quiet = 0; quiet < 3; quiet++) {
    const before = seen.length
    seen.push(...(await claimBatches(database, workers[0]!, 100)).batches)
    if (seen.length > before) quiet = 0
  }
  done = true
  await Promise.all(claiming)
  await Promise.all(connections.map((connection) => connection.end()))
  const tasks = seen.flat().map(({ task_id }) => task_id)
  expect(new Set(tasks).size).toBe(tasks.length)
  for (const batch of seen) {
    expect(batch).toHaveLength(size)
    expect(new Set(batch.map(({ input }) => input?.account)).size).toBe(1)
  }
  // What is left is less than a batch of each key, and no time has come.
  const left = await database.query<{ n: number }>(
    `select count(*)::int as n from millrace.task t join millrace.run r on r.id = t.run_id
      where r.slug = 'raced' and t.worker_id is null group by r.input ->> 'account' order by 1`,
  )
  expect(left.every(({ n }) => n < size)).toBe(true)
  expect(tasks.length + left.reduce((sum, { n }) => sum + n, 0)).toBe(600)
})

test('a worker that finds another one gathering comes again a moment later', async () => {
  const worker = await workerOf(database, 'gathered', batchStep(1, 1_000))
  const other = await workerOf(database, 'gathered', batchStep(1, 1_000))
  await start('gathered', 1)
  const meanwhile = await connect(database)
  await meanwhile.query('begin')
  expect((await claimBatches(meanwhile, worker)).batches).toHaveLength(1)
  expect(await claimBatches(database, other)).toEqual({ batches: [], dueMs: 20 })
  await meanwhile.query('rollback')
  await meanwhile.end()
  expect((await claimBatches(database, other)).batches).toHaveLength(1)
})

test('tasks that somebody has locked make no batch that is short of them before its time', async () => {
  await freeze()
  const worker = await workerOf(database, 'locked', batchStep(2, 5_000))
  const [first] = await start('locked', 2)
  const cancelling = await connect(database)
  await cancelling.query('begin')
  await cancelling.query('select from millrace.task where run_id = $1 for update', [first])
  expect(await claimBatches(database, worker)).toEqual({ batches: [], dueMs: 20 })
  await cancelling.query('rollback')
  await cancelling.end()
  expect((await claimBatches(database, worker)).batches).toHaveLength(1)
})

test('priority goes first, a paused pipeline gives nothing, and a paused or draining worker gets nothing', async () => {
  const worker = await workerOf(database, 'ordered', batchStep(2, 60_000))
  const low = await start('ordered', 2)
  const { run_id: urgent } = await startRun(database, 'ordered', null, { priority: 1 })
  await database.query("select millrace.pause_pipeline('ordered', 'a test')")
  expect((await claimBatches(database, worker)).batches).toEqual([])
  await database.query("select millrace.resume_pipeline('ordered')")
  await database.query('update millrace.worker set ordered_state = $2 where id = $1', [worker.id, 'paused'])
  expect((await claimBatches(database, worker)).batches).toEqual([])
  await database.query('update millrace.worker set ordered_state = null where id = $1', [worker.id])
  const { batches } = await claimBatches(database, worker)
  expect(batches.map((batch) => batch.map(({ run_id }) => run_id))).toEqual([[urgent, low[0]]])
})

test('the tasks of a batch are no part of what other claims see, and nothing is handed over to them', async () => {
  const worker = await workerOf(database, 'apart', [
    ...chain('before'),
    { name: 'mail', after: ['before'], batch: { size: 2, within_ms: 60_000 } },
  ])
  const handlers = await database.query<{ batch: string | null; handed: boolean }>(
    `select h.batch, h.id = any (w.handed_handlers) as handed from millrace.handler h, millrace.worker w
      where h.slug = 'apart' and w.id = $1 order by h.batch nulls first`,
    [worker.id],
  )
  expect(handlers).toEqual([
    { batch: null, handed: true },
    { batch: 'mail', handed: false },
  ])
})

test('a step that is tried again waits for others once more', async () => {
  await freeze()
  const worker = await workerOf(database, 'again', batchStep(2, 5_000))
  await start('again', 2)
  const { batches } = await claimBatches(database, worker)
  const [bad, good] = batches[0]!
  await database.query(
    `select f.* from millrace.worker w, millrace.step_definition d, millrace.fail_tasks(w.id, w.lock_key, array[$2]::bigint[], array[d.id], array[1],
       array['{"code": "x", "message": "no"}'::jsonb], array[0.5::float8]) f where w.id = $1 and d.slug = 'again' and d.step = 'mail'`,
    [worker.id, bad!.task_id],
  )
  expect(good!.attempt).toBe(1)
  await database.clock.advance('1 hour')
  await promote(database)
  const again = await claimBatches(database, worker)
  // Its time to be tried came long ago: it has waited enough.
  expect(again.batches.map((batch) => batch.map(({ run_id, attempt }) => [run_id, attempt]))).toEqual([
    [[bad!.run_id, 2]],
  ])
})

test('why says how many are there, of what key, and until when it waits; the history tells the others', async () => {
  await freeze()
  const worker = await workerOf(database, 'told', batchStep(3, 5_000, [['account']]))
  const [first] = await start('told', 1, { account: 'a' }, 'acme')
  await start('told', 1, { account: 'b' })
  const why = () => database.query('select reason, sentence, due_at from millrace.why($1)', [first])
  expect(await why()).toEqual([
    {
      reason: 'batch',
      sentence:
        "'mail' waits until 3 are there of 'a', or until 2030-01-01 at 00:00:05.000 UTC; now there is 1.",
      due_at: new Date('2030-01-01T00:00:05Z'),
    },
  ])
  const [, second] = [null, (await start('told', 1, { account: 'a' }, 'other'))[0]]
  const [third] = await start('told', 1, { account: 'a' }, 'acme')
  expect(await why()).toMatchObject([
    { sentence: "'mail' is in the next batch that a worker with a free slot takes, of 3." },
  ])
  expect((await claimBatches(database, worker)).batches).toHaveLength(1)
  const told = await database.query(
    `select run_id, step, attempt, detail from millrace.event where kind = 'step.batched' and run_id = any ($1::uuid[])
      order by array_position($1::uuid[], run_id)`,
    [[first, second, third]],
  )
  // The runs of another tenant are counted, and not named.
  expect(told).toEqual([
    { run_id: first, step: 'mail', attempt: 1, detail: { size: 3, with: [third] } },
    { run_id: second, step: 'mail', attempt: 1, detail: { size: 3 } },
    { run_id: third, step: 'mail', attempt: 1, detail: { size: 3, with: [first] } },
  ])
})

const faults: Array<[string, Record<string, unknown>, RegExp]> = [
  ['no size', { batch: { within_ms: 1 } }, /size is no whole number from 1 to 1,000/],
  ['a size of none', { batch: { size: 0, within_ms: 1 } }, /size is no whole number/],
  ['too large a size', { batch: { size: 1_001, within_ms: 1 } }, /size is no whole number/],
  ['half a size', { batch: { size: 1.5, within_ms: 1 } }, /size is no whole number/],
  ['no time', { batch: { size: 1 } }, /within_ms is no whole number from 1 to 86,400,000/],
  ['too long a time', { batch: { size: 1, within_ms: 86_400_001 } }, /within_ms is no whole number/],
  ['a transaction', { tx: true, batch: { size: 1, within_ms: 1 } }, /is one transaction/],
  ['another kind', { kind: 'sleep', batch: { size: 1, within_ms: 1 } }, /neither a step nor a map/],
  ['a text', { batch: 'of 5' }, /is no object/],
  ['a key of no paths', { batch: { size: 1, within_ms: 1, key: [] } }, /key has no path/],
  ['a key of items', { batch: { size: 1, within_ms: 1, key: [['$item', 'a']] } }, /it is no map/],
  ['a key elsewhere', { batch: { size: 1, within_ms: 1, key: [['$run']] } }, /neither into the input nor/],
]

test.each(faults)('a graph whose batch has %s is refused in SQL', async (_, step, sentence) => {
  await expect(registerPipeline(database, 'faulty', [{ name: 'mail', ...step } as StepSpec])).rejects.toThrow(
    sentence,
  )
})

test('a rule that counts tasks is refused for a step whose tasks come in batches, whichever was there first', async () => {
  const limited = `select millrace.define_limit('mails', '{"kind": "concurrency", "capacity": 1}'::jsonb, '[{"slug": "limited"}]'::jsonb)`
  await registerPipeline(database, 'limited', batchStep(2, 1_000))
  await expect(database.query(limited)).rejects.toThrow(
    "Limit 'mails' would hold for step 'mail' of pipeline 'limited', whose tasks are claimed in batches",
  )
  await registerPipeline(database, 'limited', chain('only'))
  await database.query(limited)
  await expect(registerPipeline(database, 'limited', batchStep(3, 1_000))).rejects.toThrow(
    /a limit counts tasks/,
  )
})

test('an executor outside takes a task of a batch by itself, and it is in no batch any more', async () => {
  await freeze()
  const worker = await workerOf(database, 'outside', batchStep(2, 5_000))
  const [first, second] = await start('outside', 2)
  const taken = await startStep(database, first!, 'mail')
  expect(taken).toMatchObject({ started: true, attempt: 1 })
  expect((await claimBatches(database, worker)).batches).toEqual([])
  await database.query("select millrace.complete_step($1, 'mail', 1, '1')", [first])
  await database.clock.advance('5 seconds')
  expect((await claimBatches(database, worker)).batches.map((batch) => batch[0]?.run_id)).toEqual([second])
})
