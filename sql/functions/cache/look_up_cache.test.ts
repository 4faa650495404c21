// The cache at the SQL level: one claim on a key at a time, taken over when its attempt is gone, nothing stored past an invalidation, and its bounds.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  connect,
  newId,
  registerPipeline,
  registerWorker,
  type Sql,
  startRun,
  sweep,
  type Task,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one: here, other: there } = await openMeeting()

interface Asker {
  readonly worker: Worker
  readonly task: Task
}

interface Answer {
  readonly kind: string
  readonly value: unknown
  readonly claim_id: string | null
  readonly run_id: string | null
}

let slugs = 0

async function asker(tenant?: string): Promise<Asker> {
  const slug = `caching-${++slugs}`
  const { steps } = await registerPipeline(database, slug, chain('one'))
  const worker = await registerWorker(database, { handlers: steps.slice(0, 1).map(({ handler }) => handler) })
  await startRun(database, slug, null, tenant === undefined ? {} : { tenant })
  return { worker, task: await claimOne(database, worker) }
}

async function lookUp(
  { worker, task }: Asker,
  keys: string | string[],
  { sql = database, waits }: { sql?: Sql; waits?: string | null } = {},
): Promise<Answer[]> {
  const asked = [keys].flat()
  const rows = await sql.query<Answer & { place: number } & Record<string, unknown>>(
    'select * from millrace.look_up_cache($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::text[], $8::bigint[], $9::boolean[])',
    [
      worker.id,
      worker.lockKey,
      asked.map(() => task.task_id),
      asked.map(() => task.step_id),
      asked.map(() => task.attempt),
      asked.map(() => 'prices'),
      asked,
      asked.map(() => waits ?? null),
      asked.map(() => true),
    ],
  )
  return rows.sort((left, right) => left.place - right.place)
}

const one = async (...given: Parameters<typeof lookUp>): Promise<Answer> => (await lookUp(...given))[0]!

async function store(
  { worker }: Asker,
  claims: (string | null)[],
  value: unknown = 'value',
  { sql = database, ms = 60_000 }: { sql?: Sql; ms?: number } = {},
): Promise<number> {
  const rows = await sql.query(
    'select millrace.store_cache($1, $2, $3::bigint[], $4::jsonb[], $5::float8[])',
    [worker.id, worker.lockKey, claims, claims.map(() => JSON.stringify(value)), claims.map(() => ms)],
  )
  return rows.length
}

const invalidate = async (given: { key?: string; prefix?: string; tenant?: string; scope?: string }) =>
  (
    await database.query<{ n: number }>('select millrace.invalidate_cache($1, $2, $3, $4) as n', [
      given.scope ?? null,
      given.key ?? null,
      given.prefix ?? null,
      given.tenant ?? null,
    ])
  )[0]!.n

test('JQ-26 of many that ask for one key at once exactly one computes it, and the others get its value', async () => {
  const askers = await Promise.all(Array.from({ length: 8 }, () => asker()))
  const answers = await Promise.all(askers.map((asked) => one(asked, 'at-once')))
  const [computing] = answers.flatMap(({ kind }, place) => (kind === 'computing' ? [place] : []))
  expect(answers.filter(({ kind }) => kind === 'busy')).toHaveLength(7)
  expect(await store(askers[computing!]!, [answers[computing!]!.claim_id], { price: 7 })).toBe(1)
  const again = await Promise.all(
    askers.map((asked, place) => one(asked, 'at-once', { waits: answers[place]!.claim_id })),
  )
  expect(again.map(({ kind, value, run_id }) => ({ kind, value, run_id }))).toEqual(
    askers.map(() => ({ kind: 'hit', value: { price: 7 }, run_id: askers[computing!]!.task.run_id })),
  )
})

test('JQ-26 who looks while the value is being stored gets it, and does not compute it again', async () => {
  const [computes, looks] = [await asker(), await asker()]
  const { claim_id } = await one(computes!, 'being-stored')
  const storing = here
  await storing.query('begin')
  await store(computes!, [claim_id], 'stored', { sql: storing })
  const looking = one(looks!, 'being-stored')
  await untilBlocked(database)
  await storing.query('commit')
  expect(await looking).toMatchObject({ kind: 'hit', value: 'stored' })
})

test('two that ask for the same keys in opposite order do not wait for each other in a circle', async () => {
  const askers = await Promise.all([asker(), asker()])
  const keys = Array.from({ length: 40 }, (_, n) => `order-${n}`)
  for (let round = 0; round < 5; round++) {
    const named = keys.map((key) => `${key}-${round}`)
    const [one, other] = await Promise.all([
      lookUp(askers[0]!, named),
      lookUp(askers[1]!, [...named].reverse()),
    ])
    const kinds = [...one, ...other].map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'computing')).toHaveLength(40)
    expect(kinds.filter((kind) => kind === 'busy')).toHaveLength(40)
  }
})

test('who asks or stores for several runs, and who ends those runs, lock their tasks in one order', async () => {
  const slug = `caching-${++slugs}`
  const { steps } = await registerPipeline(database, slug, chain('one'))
  const worker = await registerWorker(database, { handlers: steps.slice(0, 1).map(({ handler }) => handler) })
  // The run that comes first by its id has the later task.
  const [late, early] = [newId(), newId(Date.now() - 60_000)]
  await startRun(database, slug, null, { id: late })
  await startRun(database, slug, null, { id: early })
  const tasks = await claim(database, worker, 2)
  const storing = await connect(database)
  const ask = (sql: Sql) =>
    sql.query<{ kind: string; claim_id: string }>(
      'select kind, claim_id from millrace.look_up_cache($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::text[], $8::bigint[], $9::boolean[])',
      [
        worker.id,
        worker.lockKey,
        tasks.map(({ task_id }) => task_id),
        tasks.map(({ step_id }) => step_id),
        tasks.map(({ attempt }) => attempt),
        tasks.map(() => 'prices'),
        tasks.map(({ run_id }) => run_id),
        tasks.map(() => null),
        tasks.map(() => false),
      ],
    )
  const claims = (await ask(database)).map(({ claim_id }) => claim_id)
  const first = tasks.map(({ task_id }) => Number(task_id)).sort((left, right) => left - right)[0]!
  await here.query('begin')
  await here.query('select from millrace.task where id = $1 for update', [first])
  const asked = ask(there)
  await untilBlocked(database)
  const stored = store({ worker, task: tasks[0]! }, claims, 'value', { sql: storing })
  await untilBlocked(database, 2)
  await here.query('select millrace.lock_run_tasks($1)', [[late, early]])
  await here.query('commit')
  expect((await asked).map(({ kind }) => kind)).toHaveLength(2)
  expect(await stored).toBe(2)
  await storing.end()
})

test('JQ-26 the claim of a worker that is gone ends with its lease: the next one computes, and the zombie stores nothing', async () => {
  await database.clock.freeze()
  const [dead, next] = [await asker(), await asker()]
  const { claim_id } = await one(dead, 'taken-over')
  expect((await one(next, 'taken-over')).kind).toBe('busy')
  await database.clock.advance('1 minute')
  await database.query(
    "update millrace.worker set heartbeat_at = millrace.now(), lease_expires_at = millrace.now() + interval '10 s' where id = $1",
    [next.worker.id],
  )
  expect((await one(next, 'taken-over')).kind).toBe('busy')
  await sweep(database)
  const taken = await one(next, 'taken-over', { waits: claim_id })
  expect(taken.kind).toBe('computing')
  expect(await store(dead, [claim_id], 'of a zombie')).toBe(0)
  expect((await one(dead, 'taken-over')).kind).toBe('lost')
  expect(await store(next, [taken.claim_id], 'good')).toBe(1)
  expect(await one(next, 'taken-over')).toMatchObject({ kind: 'hit', value: 'good' })
  await database.clock.reset()
})

test('an attempt that ends without a word, or whose run is cancelled, leaves the key to the next one', async () => {
  const [ended, cancelled, next] = [await asker(), await asker(), await asker()]
  await one(ended, 'left')
  await complete(database, ended.worker, [{ task: ended.task }])
  const { kind } = await one(cancelled, 'left')
  expect(kind).toBe('computing')
  await cancelRun(database, cancelled.task.run_id)
  expect((await one(cancelled, 'left')).kind).toBe('lost')
  expect((await one(next, 'left')).kind).toBe('computing')
})

test('JQ-26 what was begun before an invalidation is not stored, and one that is just being stored is removed', async () => {
  const [computes, next] = [await asker(), await asker()]
  const begun = await one(computes, 'stale')
  await invalidate({ key: 'stale' })
  expect(await store(computes, [begun.claim_id], 'old')).toBe(0)
  const fresh = await one(next, 'stale')
  expect(fresh.kind).toBe('computing')

  const storing = here
  await storing.query('begin')
  await store(next, [fresh.claim_id], 'half-way', { sql: storing })
  const removing = invalidate({ key: 'stale' })
  await untilBlocked(database)
  await storing.query('commit')
  expect(await removing).toBe(1)
  expect((await one(computes, 'stale')).kind).toBe('computing')
})

test('values are invalidated by key, prefix, scope and tenant, and what is given must all fit', async () => {
  const askers = { a: await asker('tenant-a'), b: await asker('tenant-b') }
  for (const asked of Object.values(askers)) {
    const answers = await lookUp(asked, ['eu-1', 'eu-2', 'us-1'])
    await store(
      asked,
      answers.map(({ claim_id }) => claim_id),
    )
  }
  expect(await invalidate({ prefix: 'eu-', tenant: 'tenant-a' })).toBe(2)
  expect(await invalidate({ key: 'eu-1', scope: 'prices' })).toBe(1)
  expect(await invalidate({ key: 'eu-2', scope: 'other' })).toBe(0)
  expect(await invalidate({ tenant: 'tenant-b' })).toBe(2)
  await expect(invalidate({})).rejects.toMatchObject({ code: 'MR014' })
})

test('JQ-26 a tenant never sees the value of another, nor that of no tenant', async () => {
  const [a, b, none] = [await asker('see-a'), await asker('see-b'), await asker()]
  for (const [asked, value] of [
    [a, 'of a'],
    [none, 'of none'],
  ] as const) {
    const { kind, claim_id } = await one(asked, 'secret')
    expect(kind).toBe('computing')
    await store(asked, [claim_id], value)
  }
  expect((await one(b, 'secret')).kind).toBe('computing')
  expect((await one(a, 'secret')).value).toBe('of a')
  expect((await one(none, 'secret')).value).toBe('of none')
})

test('JQ-26 a value is used until it expires by the database clock, and housekeeping removes it in batches', async () => {
  await database.clock.freeze()
  const asked = await asker()
  const keys = ['old-1', 'old-2', 'old-3']
  const answers = await lookUp(asked, keys)
  await store(
    asked,
    answers.map(({ claim_id }) => claim_id),
    'soon over',
    { ms: 1_000 },
  )
  await database.clock.advance(999)
  expect((await one(asked, 'old-1')).kind).toBe('hit')
  await database.clock.advance(1)
  expect((await one(asked, 'old-1')).kind).toBe('computing')
  const prune = async () =>
    (await database.query<{ more: boolean }>('select millrace.prune_cache(2) as more'))[0]!.more
  expect(await prune()).toBe(true)
  while (await prune());
  expect(await database.query("select from millrace.cache_entry where key like 'old-%'")).toEqual([])
  await database.clock.reset()
})

test('JQ-26 the cache keeps within its bounds: what would expire first goes first', async () => {
  const asked = await asker()
  await database.query('delete from millrace.cache_entry')
  await database.query("update millrace.setting set value = '10' where name = 'cache_entries_max'")
  const keys = Array.from({ length: 200 }, (_, n) => `bound-${n}`)
  for (const [place, key] of keys.entries())
    await store(asked, [(await one(asked, key)).claim_id], 'x', { ms: 60_000 + place * 1_000 })
  const [row] = await database.query<{ n: number }>('select count(*)::int as n from millrace.cache_entry')
  expect(row!.n).toBeLessThanOrEqual(10 + 64)
  await database.query('select millrace.prune_cache(1000)')
  const left = await database.query<{ key: string }>('select key from millrace.cache_entry order by id')
  expect(left.map(({ key }) => key)).toEqual(keys.slice(-10))

  await database.query("update millrace.setting set value = '100000' where name = 'cache_entries_max'")
  await database.query("update millrace.setting set value = '1000' where name = 'cache_bytes_max'")
  await database.query('select millrace.prune_cache(1000)')
  const [bytes] = await database.query<{ n: number }>('select sum(size)::int as n from millrace.cache_entry')
  expect(bytes!.n).toBeLessThanOrEqual(1_000)
  expect(bytes!.n).toBeGreaterThan(500)
  await database.query("update millrace.setting set value = '268435456' where name = 'cache_bytes_max'")
})

test('who waits writes nothing and locks nothing, as long as the claim stands', async () => {
  const [computes, waits] = [await asker(), await asker()]
  await one(computes, 'quiet')
  const { claim_id } = await one(waits, 'quiet')
  const sql = here
  await sql.query('begin')
  expect((await one(waits, 'quiet', { sql, waits: claim_id })).kind).toBe('busy')
  const [row] = await sql.query<{ id: string | null }>('select pg_current_xact_id_if_assigned()::text as id')
  expect(row!.id).toBeNull()
  await sql.query('rollback')
})
