// Starts: their options, their refusals, their batches.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { countStatements, openMillrace } from '../../test/millrace.ts'
import { newId, runOf, untilBlocked } from '../../test/protocol.ts'
import type { Caller } from '../db/call.ts'
import type { LocalWorker } from './local-worker.ts'
import { pipeline } from './pipeline.ts'
import { SealedRuns } from './sealed-runs.ts'
import { pendingStart } from './start.ts'
import { StartBatches } from './start-batches.ts'
import type { StartParts } from './start-call.ts'

const { database, opened } = await openMillrace()

const numbered = pipeline('numbered', { input: z.object({ n: z.number() }) }).step(
  'do',
  ({ input }) => input.n,
)
const keyed = pipeline('keyed', { input: z.object({ state: z.string().optional() }), key: 'state' }).step(
  'do',
  () => 1,
)
const stored = (id: string) =>
  database
    .query(
      'select priority, tenant, headers, available_at, idempotency_key, input, version, started_via from millrace.run where id = $1',
      [id],
    )
    .then(([row]) => row)
/** What batches need, over a caller that answers by itself. */
const partsOf = (caller: Caller): StartParts => ({
  via: 'sdk',
  caller,
  sealed: new SealedRuns(caller, undefined),
  inTransaction: (work) => work(caller),
})

test('a start carries its options to the run', async () => {
  const client = opened.client()
  const availableAt = new Date(Date.now() + 3_600_000)
  const { run } = await client.start(
    numbered,
    { n: 1 },
    { priority: 2, tenant: 'acme', headers: { trace: 'abc' }, availableAt, idempotencyKey: 'k1' },
  )
  expect(await stored(run!.id)).toEqual({
    priority: 2,
    tenant: 'acme',
    headers: { trace: 'abc' },
    available_at: availableAt,
    idempotency_key: 'k1',
    input: { n: 1 },
    version: 1,
    started_via: 'sdk',
  })
})

test('PP-C13 an option out of its bounds is refused by its name before anything is sent', async () => {
  const client = opened.client()
  await client.start(numbered, { n: 0 })
  const statements = countStatements()
  const wrong = [
    { priority: 0 },
    { priority: 10 },
    { priority: 1.5 },
    { availableAt: new Date(Number.NaN) },
    { idempotencyKey: '' },
    { idempotencyKey: 'x'.repeat(501) },
    { idempotencySeconds: 0 },
    { tenant: '' },
    { runId: 'not-an-id' },
  ]
  for (const option of wrong) {
    await expect(client.start(numbered, { n: 1 }, option)).rejects.toMatchObject({
      code: 'start_option_invalid',
      fields: { option: Object.keys(option)[0] },
    })
  }
  statements.stop()
  expect(statements.sent).toEqual([])
})

test('PP-C1 with a run key declared, starts at once give one live run and its id to all', async () => {
  const client = opened.client()
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => client.ensureRun(keyed, { state: 'TX' })),
  )
  expect(new Set(answers.map(({ run }) => run!.id)).size).toBe(1)
  expect(answers.filter(({ created }) => created)).toHaveLength(1)
  expect(answers.filter((answer) => !answer.created && answer.reason === 'live')).toHaveLength(99)
})

test('the same idempotency key is the same run, with another input an error that names both', async () => {
  const client = opened.client()
  const first = await client.start(numbered, { n: 5 }, { idempotencyKey: 'order-5' })
  expect(await client.start(numbered, { n: 5 }, { idempotencyKey: 'order-5' })).toEqual({
    created: false,
    reason: 'repeated',
    run: first.run,
  })
  await expect(client.start(numbered, { n: 6 }, { idempotencyKey: 'order-5' })).rejects.toMatchObject({
    code: 'idempotency_conflict',
    fields: { idempotencyKey: 'order-5', runId: first.run!.id },
  })
  const together = await Promise.allSettled(
    [5, 6, 5].map((n) => client.start(numbered, { n }, { idempotencyKey: 'order-at-once' })),
  )
  expect(together.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  const other = await client.start(numbered, { n: 6 }, { idempotencyKey: 'order-5', tenant: 'other' })
  expect(other.created).toBe(true)
})

test('the same run id is the same start', async () => {
  const client = opened.client()
  const runId = newId()
  const first = await client.start(numbered, { n: 1 }, { runId })
  const again = await client.start(numbered, { n: 1 }, { runId })
  expect([first.run!.id, again.run!.id]).toEqual([runId, runId])
  expect(await database.query('select 1 from millrace.task where run_id = $1', [runId])).toHaveLength(1)
})

test('a run id in capital letters is the one that the database writes: for answers, for the worker of the process, and for results', async () => {
  const client = opened.client()
  const [live, refused, handed] = [newId(), newId(), newId()]
  const first = await client.start(keyed, { state: 'capital' }, { runId: live.toUpperCase() })
  expect(first).toEqual({ created: true, run: { id: live } })
  expect(await client.start(keyed, { state: 'capital' }, { runId: refused.toUpperCase() })).toEqual({
    created: false,
    reason: 'live',
    run: { id: live },
  })
  const worker = await opened.worker({ pipelines: [numbered] })
  await until('the worker takes starts', () => worker.serves.get(numbered.slug))
  await client.start(numbered, { n: 7 }, { runId: handed.toUpperCase() })
  expect(await client.run(handed.toUpperCase()).result()).toBe(7)
})

test('starts at once share their statements, and one bad start fails alone', async () => {
  const client = opened.client()
  await client.start(keyed, { state: 'first' })
  const statements = countStatements()
  const ends = await Promise.allSettled(
    Array.from({ length: 64 }, (_, n) => client.start(keyed, n === 33 ? {} : { state: `s${n}` })),
  )
  statements.stop()
  expect(ends.map(({ status }, n) => (status === 'rejected' ? n : -1)).filter((n) => n >= 0)).toEqual([33])
  expect(ends[33]).toMatchObject({ reason: { code: 'key_value_missing' } })
  expect(statements.sent.filter((name) => name === 'millrace_start_runs').length).toBeLessThanOrEqual(14)
})

test('B10 a start that was undone by a deadlock is repeated, one that was cancelled is not, not even in halves', async () => {
  await database.query('create table public.refusal (state text, times int)')
  await database.query('create sequence public.tries')
  await database.query(`create function public.refuse() returns trigger language plpgsql as $$
    begin
      if nextval('public.tries') <= (select times from public.refusal) then
        raise exception 'forced' using errcode = (select state from public.refusal);
      end if;
      return null;
    end $$`)
  await database.query(
    'create trigger refusing after insert on millrace.task for each statement execute function public.refuse()',
  )
  const client = opened.client()
  const refuse = async (state: string, times: number) => {
    await database.query('delete from public.refusal')
    await database.query('insert into public.refusal values ($1, $2)', [state, times])
    await database.query('alter sequence public.tries restart')
  }
  for (const state of ['40P01', '40001']) {
    await refuse(state, 2)
    expect(await client.start(numbered, { n: 1 })).toMatchObject({ created: true })
  }
  await refuse('57014', 1)
  const ends = await Promise.allSettled([1, 2, 3, 4].map((n) => client.start(numbered, { n })))
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
  expect(ends[0]).toMatchObject({ reason: { code: '57014' } })
  await database.query('drop trigger refusing on millrace.task')
})

test('a start asks the worker of its process for as many slots as its run begins with', async () => {
  const two = pipeline('two-ends')
    .step('left', () => 'l')
    .step('right', { after: [] }, () => 'r')
  const asked: number[] = []
  const worker: LocalWorker = {
    serves: () => true,
    free: 0,
    reserve: (wanted) => {
      asked.push(wanted)
      return undefined
    },
    take: () => {},
    lostAnswer: () => {},
    watch: () => undefined,
  }
  const caller = { call: async () => [] }
  const starts = new StartBatches(partsOf(caller), () => worker, 4)
  const start = { slug: two.slug, version: 1, input: null, graph: two.graph }
  await Promise.all([newId(), newId()].map((id) => starts.start(pendingStart({ ...start, id }, {}))))
  expect(asked).toEqual([4])
})

test('what an answer that nobody understands has leased to the worker of the process is asked for', async () => {
  const told: string[] = []
  const worker: LocalWorker = {
    serves: () => true,
    free: 1,
    reserve: (room) => ({ workerId: newId(), lockKey: 1, room }),
    take: (room, tasks) => void told.push(`took ${tasks.length} of ${room}`),
    lostAnswer: (room) => void told.push(`lost the answer for ${room}`),
    watch: () => undefined,
  }
  const leased = { reason: 'leased', run_id: newId(), task_id: 1, step_id: 0 }
  const caller = { call: async <Row>() => [leased] as Row[] }
  const start = { slug: numbered.slug, version: 1, id: newId(), input: { n: 1 }, graph: numbered.graph }
  await expect(
    new StartBatches(partsOf(caller), () => worker, 4).start(pendingStart(start, {})),
  ).rejects.toThrow(TypeError)
  expect(told).toEqual(['lost the answer for 1'])
})

test('a start that needs what an open transaction holds waits by itself, and holds up none of the others of its process', async () => {
  const client = opened.client()
  const own = await database.pool.connect()
  await own.query('begin')
  expect(await client.start(keyed, { state: 'held' }, { tx: own })).toMatchObject({ created: true })
  let answered = 0
  const held = [1, 2, 3, 4, 5].map(() =>
    client.start(keyed, { state: 'held' }).finally(() => {
      answered++
    }),
  )
  const others = Array.from({ length: 40 }, (_, n) =>
    n % 2 === 0 ? client.start(numbered, { n }) : client.start(keyed, { state: `free ${n}` }),
  )
  for (const answer of await Promise.all(others)) expect(answer.created).toBe(true)
  // Those that come later don't wait for them either, nor for the time after which they had stepped aside.
  expect(await client.start(numbered, { n: 1 })).toMatchObject({ created: true })
  held.push(client.start(keyed, { state: 'held' }))
  expect(await client.start(keyed, { state: 'free' })).toMatchObject({ created: true })
  expect(answered).toBe(0)
  await own.query('rollback')
  own.release()
  const answers = await Promise.all(held)
  expect(answers.filter(({ created }) => created)).toHaveLength(1)
  for (const answer of answers) if (!answer.created) expect(answer.reason).toBe('live')
  expect(await client.start(keyed, { state: 'held' })).toMatchObject({ created: false, reason: 'live' })
})

test('starts that wait for one key for long leave others that wait their turn', async () => {
  const client = opened.client()
  const [long, short] = await Promise.all([database.pool.connect(), database.pool.connect()])
  for (const [own, state] of [
    [long, 'long'],
    [short, 'short'],
  ] as const) {
    await own.query('begin')
    await client.start(keyed, { state }, { tx: own })
  }
  let isLongOver = false
  const longs = [1, 2, 3].map(() =>
    client.start(keyed, { state: 'long' }).finally(() => {
      isLongOver = true
    }),
  )
  const shorts = [1, 2].map(() => client.start(keyed, { state: 'short' }))
  await untilBlocked(database)
  await short.query('rollback')
  short.release()
  expect((await Promise.all(shorts)).map(({ created }) => created).toSorted()).toEqual([false, true])
  expect(isLongOver).toBe(false)
  await long.query('rollback')
  long.release()
  expect((await Promise.all(longs)).filter(({ created }) => created)).toHaveLength(1)
})

test('where a lock on a table holds up all starts, each is made once it is gone', async () => {
  const client = opened.client()
  const own = await database.pool.connect()
  await own.query('begin')
  await own.query('lock table millrace.run in access exclusive mode')
  const starts = Array.from({ length: 30 }, (_, n) => client.start(numbered, { n }))
  await until('some wait beside the batches', async () => {
    const [row] = await database.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    )
    return (row?.waiting ?? 0) >= 3
  })
  await own.query('commit')
  own.release()
  const answers = await Promise.all(starts)
  expect(new Set(answers.map(({ run }) => run!.id)).size).toBe(30)
  for (const { created } of answers) expect(created).toBe(true)
})

test('startMany answers in the order of its inputs, over several calls', async () => {
  const client = opened.client()
  const answers = await client.startMany(
    numbered,
    Array.from({ length: 2_500 }, (_, n) => ({ n })),
  )
  const ids = answers.map(({ run }) => run!.id)
  const rows = await database.query<{ id: string; n: number }>(
    "select id, (input ->> 'n')::int as n from millrace.run where id = any ($1)",
    [ids],
  )
  const byId = new Map(rows.map(({ id, n }) => [id, n]))
  expect(ids.map((id) => byId.get(id))).toEqual(Array.from({ length: 2_500 }, (_, n) => n))
  expect(await client.startMany(keyed, [{ state: 'p' }, { state: 'q' }, { state: 'p' }])).toMatchObject([
    { created: true },
    { created: true },
    { created: false, reason: 'live' },
  ])
})

test('startMany begins nothing after a failure, and says what it had started', async () => {
  const client = opened.client()
  const inputs = Array.from({ length: 6_000 }, (_, n) => (n === 10 ? {} : { state: `half-way ${n}` }))
  const count = async () =>
    (
      await database.query<{ n: number }>(
        "select count(*)::int as n from millrace.run where tenant = 'half-way'",
      )
    )[0]!.n
  const error = await client
    .startMany(keyed, inputs, { tenant: 'half-way' })
    .catch((thrown: unknown) => thrown)
  const started = await count()
  expect(started).toBeLessThan(3_000)
  expect(error).toMatchObject({
    code: 'key_value_missing',
    fields: { started: started === 0 ? [] : [{ first: 1_000, last: 999 + started }] },
  })
  await client.close()
  expect(await count()).toBe(started)
})

test('PP-S8 too long a list starts nothing', async () => {
  const client = opened.client()
  const [before] = await database.query('select count(*) from millrace.run')
  await expect(client.startMany(numbered, Array(100_001).fill({ n: 1 }))).rejects.toMatchObject({
    code: 'too_many_starts',
  })
  expect(await database.query('select count(*) from millrace.run')).toEqual([before])
})

test('startMany inside a transaction is all or none, also beyond what one call takes', async () => {
  const client = opened.client()
  const own = await database.pool.connect()
  const count = async () =>
    (
      await database.query<{ n: number }>("select count(*)::int as n from millrace.run where tenant = 'many'")
    )[0]!.n
  const inputs = Array.from({ length: 1_500 }, (_, n) => ({ n }))
  await own.query('begin')
  expect(await client.startMany(numbered, inputs, { tx: own, tenant: 'many' })).toHaveLength(1_500)
  expect(await count()).toBe(0)
  await own.query('rollback')
  expect(await count()).toBe(0)
  await own.query('begin')
  await client.startMany(numbered, inputs, { tx: own, tenant: 'many' })
  await own.query('commit')
  own.release()
  expect(await count()).toBe(1_500)
})

test('H1 H2 H3 an input that JSON in Postgres cannot keep is refused with its path, and nothing is started', async () => {
  const open = pipeline('open', { input: z.any() }).step('do', () => 1)
  const client = opened.client()
  const circle: unknown[] = []
  circle.push(circle)
  const bad: Array<[unknown, string]> = [
    [{ a: ['x', 'b\u0000'] }, 'a[1]'],
    [{ a: '\udc00' }, 'a'],
    [{ a: Array.from({ length: 150 }).reduce<unknown>((inner) => [inner], 1) }, 'nested'],
    [{ a: Number.POSITIVE_INFINITY }, 'a'],
    [{ a: Number.NaN }, 'a'],
    [{ a: 1n }, 'a'],
    [circle, '[0]'],
  ]
  for (const [input, part] of bad) {
    await expect(client.start(open, input)).rejects.toMatchObject({
      code: 'json_invalid',
      message: expect.stringContaining(part),
    })
  }
  await expect(client.start(open, 'x'.repeat(1_100_000))).rejects.toMatchObject({ code: 'json_too_large' })
  const { run } = await client.start(open, { big: 2 ** 53, small: -0, text: 'ä🙂' })
  expect((await runOf(database, run!.id)).state).toBe('pending')
  expect((await stored(run!.id))!['input']).toEqual({ big: 2 ** 53, small: 0, text: 'ä🙂' })
})

test('a run id that is taken by another start is refused, and the same start asked again is not', async () => {
  const client = opened.client()
  const taking = pipeline('taking', { input: z.object({ n: z.number() }) }).step('a', () => 1)
  const first = await client.start(taking, { n: 1 })
  const runId = first.run!.id
  await expect(client.start(taking, { n: 1 }, { runId })).resolves.toMatchObject({
    created: true,
    run: { id: runId },
  })
  await expect(client.start(taking, { n: 2 }, { runId })).rejects.toMatchObject({
    code: 'idempotency_conflict',
  })
})
