// Emitted events and what they start: in the emitter's transaction, once for each subscription, in order, whoever works them off.
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, pruneAll, registerPipeline, startRun, untilBlocked } from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

beforeAll(async () => {
  await registerPipeline(database, 'greet', chain('say'))
  await registerPipeline(database, 'keyed', chain('say'), [['id']])
})

beforeEach(async () => {
  await database.query('truncate millrace.subscription, millrace.emitted_event, millrace.event_start')
  await database.query(
    'delete from millrace.task; delete from millrace.live_key; delete from millrace.event; delete from millrace.run',
  )
})

type Sql = Pick<typeof one, 'query'>

const subscribe = (name: string, settings: object) =>
  database.query('select millrace.define_subscription($1, $2)', [
    name,
    JSON.stringify({ event: 'changed', pipeline: 'greet', ...settings }),
  ])

const emit = async (
  sql: Sql,
  payload: unknown = {},
  more: { name?: string; tenant?: string; key?: string; run?: string; step?: string } = {},
) => {
  const values = [
    more.name ?? 'changed',
    JSON.stringify(payload),
    more.tenant ?? null,
    more.key ?? null,
    more.run ?? null,
    more.step ?? null,
  ]
  const [row] = await sql.query<{ id: string }>(
    'select millrace.emit($1, $2, $3, $4, $5, $6)::text as id',
    values,
  )
  return row!.id
}

const work = async (sql: Sql = database, batch = 100) =>
  (await sql.query<{ settled: number; more: boolean }>('select * from millrace.work_events($1)', [batch]))[0]!

interface Start {
  readonly event: string
  readonly name: string
  readonly run: string | null
  readonly input: unknown
  readonly tenant: string | null
  readonly refusal: string | null
  readonly detail: string | null
}

const starts = () =>
  database.query<Start & Record<string, unknown>>(
    `select g.event_id::text as event, s.name, g.run_id as run, r.input, r.tenant, g.refusal, g.detail
       from millrace.event_start g join millrace.subscription s on s.id = g.subscription_id left join millrace.run r on r.id = g.run_id
      order by g.event_id, s.name`,
  )

test('what is emitted in a transaction starts nothing before it has committed, and nothing at all when it rolls back', async () => {
  await subscribe('all', {})
  await one.query('begin')
  await emit(one, { n: 1 })
  await other.query('begin')
  await emit(other, { n: 2 })
  expect(await work()).toMatchObject({ settled: 0 })
  await other.query('rollback')
  await one.query('commit')
  expect(await work()).toMatchObject({ settled: 1, more: false })
  expect((await starts()).map(({ input }) => input)).toEqual([{ n: 1 }])
})

test('G1 an event with a lower id that commits later is not skipped', async () => {
  await subscribe('all', {})
  await one.query('begin')
  const early = await emit(one, { n: 1 })
  const late = await emit(other, { n: 2 })
  expect(BigInt(early)).toBeLessThan(BigInt(late))
  await work()
  expect((await starts()).map(({ event }) => event)).toEqual([late])
  await one.query('commit')
  await work()
  expect((await starts()).map(({ event }) => event)).toEqual([early, late])
})

test('a start that fails for a lack that passes, such as a full disk, is made later', async () => {
  await subscribe('all', {})
  await database.query('create sequence tries')
  // A sequence counts what is rolled back as well.
  await database.query(`create function lack() returns trigger language plpgsql as $$
    begin
      if nextval('public.tries') <= 2 then
        raise exception 'could not extend file' using errcode = '53100';
      end if;
      return new;
    end $$`)
  await database.query(
    "create trigger lack before insert on millrace.run for each row when (new.slug = 'greet') execute function lack()",
  )
  try {
    await emit(database, { n: 1 })
    expect(await work()).toMatchObject({ settled: 0, more: false })
    expect(await starts()).toEqual([])
    await database.clock.advance('2 seconds')
    expect(await work()).toMatchObject({ settled: 1 })
    expect(await starts()).toMatchObject([{ input: { n: 1 }, refusal: null }])
  } finally {
    await database.query('drop function lack cascade; drop sequence tries')
    await database.clock.reset()
  }
})

test('a start that meets what may be for good, as a damaged row is, is refused after some minutes, and its event starts the others', async () => {
  await subscribe('greet', {})
  await subscribe('keyed', { pipeline: 'keyed' })
  await database.query(`create function damage() returns trigger language plpgsql as $$
    begin
      raise exception 'invalid page in block 7' using errcode = 'XX001';
    end $$`)
  await database.query(
    "create trigger damage before insert on millrace.run for each row when (new.slug = 'keyed') execute function damage()",
  )
  try {
    await emit(database, { id: 'x' })
    for (let turn = 0; turn < 10; turn++) {
      expect(await work()).toMatchObject({ settled: 0 })
      await database.clock.advance('65 seconds')
    }
    expect(await starts()).toEqual([])
    expect(await work()).toMatchObject({ settled: 1 })
    expect((await starts()).map(({ name, refusal, detail }) => [name, refusal, detail])).toEqual([
      ['greet', null, null],
      ['keyed', 'error', 'invalid page in block 7'],
    ])
  } finally {
    await database.query('drop function damage cascade')
    await database.clock.reset()
  }
})

test('many workers at once start each event once for each subscription, in the order in which they were emitted', async () => {
  await subscribe('first', {})
  await subscribe('second', {})
  const ids: string[] = []
  for (let n = 0; n < 60; n++) ids.push(await emit(database, { n }))
  const drain = async () => {
    for (;;) {
      await work(database, 7)
      const [left] = await database.query<{ open: number }>(
        'select count(*)::int as open from millrace.emitted_event where settled_at is null',
      )
      if (left!.open === 0) return
    }
  }
  await Promise.all([drain(), drain(), drain()])
  const told = await starts()
  expect(told.length).toBe(120)
  expect(new Set(told.map(({ event, name }) => `${event} ${name}`)).size).toBe(120)
  const runs = await database.query<{ n: number }>(
    "select (input ->> 'n')::int as n from millrace.run order by id",
  )
  expect(runs.length).toBe(120)
  const inOrder = await database.query<{ n: number }>(
    "select (r.input ->> 'n')::int as n from millrace.run r join millrace.task t on t.run_id = r.id order by t.id",
  )
  expect(inOrder.map(({ n }) => n)).toEqual(inOrder.map(({ n }) => n).toSorted((a, b) => a - b))
})

test('a filter is matched as signals are, and a map makes the input of paths into the payload', async () => {
  await subscribe('members', {
    filter: { person: { kind: 'member' } },
    map: { id: ['person', 'id'], where: ['place'], none: ['not', 'there'] },
  })
  await subscribe('others', { filter: { person: { kind: 'guest' } } })
  await subscribe('elsewhere', { event: 'other' })
  await emit(database, { person: { kind: 'member', id: 7, name: 'Ada' }, place: [1, 2] })
  await work()
  expect(await starts()).toMatchObject([{ name: 'members', input: { id: 7, where: [1, 2] } }])
})

test('a subscription of a tenant gets the events of that tenant alone, one of the operator all of them, as runs of their tenant', async () => {
  await subscribe('acme', { tenant: 'acme' })
  await subscribe('operator', {})
  const own = await emit(database, {}, { tenant: 'acme' })
  const foreign = await emit(database, {}, { tenant: 'globex' })
  const nobody = await emit(database)
  await work()
  expect((await starts()).map(({ event, name, tenant }) => [event, name, tenant])).toEqual([
    [own, 'acme', 'acme'],
    [own, 'operator', 'acme'],
    [foreign, 'operator', 'globex'],
    [nobody, 'operator', null],
  ])
})

test('a start that is refused is said on the event, and one that is wrong fails alone', async () => {
  await subscribe('a-greet', {})
  await subscribe('b-keyed', { pipeline: 'keyed' })
  await subscribe('c-paused', {})
  await database.query("select millrace.pause_subscription('c-paused')")
  await emit(database, { id: 'x' })
  await emit(database, { id: 'x' })
  await emit(database, { no: 'key' })
  expect(await work()).toMatchObject({ settled: 3 })
  const told = await starts()
  expect(told.map(({ name, refusal }) => [name, refusal])).toEqual([
    ['a-greet', null],
    ['b-keyed', null],
    ['c-paused', 'paused'],
    ['a-greet', null],
    ['b-keyed', 'live'],
    ['c-paused', 'paused'],
    ['a-greet', null],
    ['b-keyed', 'error'],
    ['c-paused', 'paused'],
  ])
  expect(told[4]!.detail).toContain(told[1]!.run)
  expect(told[7]!.detail).toContain('id')
})

test('a run says which event started it', async () => {
  await subscribe('all', {})
  const id = await emit(database)
  await work()
  const [start] = await starts()
  const [row] = await database.query<{ detail: unknown; started_via: string }>(
    "select e.detail, r.started_via from millrace.event e join millrace.run r on r.id = e.run_id where e.run_id = $1 and e.kind = 'run.triggered'",
    [start!.run],
  )
  expect(row).toEqual({
    detail: { by: 'event', event: 'changed', id: Number(id), subscription: 'all' },
    started_via: 'event',
  })
})

test('an event of a run that the same subscription started is cut, whatever lies between, and that is said, also once that run is deleted', async () => {
  await subscribe('first', {})
  await subscribe('second', { event: 'then' })
  await emit(database)
  await work()
  const [first] = await starts()
  await emit(database, {}, { name: 'then', run: first!.run!, step: 'say' })
  await work()
  const second = (await starts()).at(-1)
  expect(second).toMatchObject({ name: 'second', refusal: null })
  await emit(database, {}, { run: second!.run!, step: 'say' })
  await work()
  expect((await starts()).at(-1)).toMatchObject({
    name: 'first',
    refusal: 'cycle',
    detail: expect.stringContaining(second!.run!),
  })
  await emit(database, {}, { run: second!.run!, step: 'say' })
  await database.query('delete from millrace.task')
  await database.query("update millrace.run set state = 'cancelled', finished_at = millrace.now()")
  await database.query('select millrace.delete_run($1)', [second!.run])
  await work()
  expect((await starts()).at(-1)).toMatchObject({
    refusal: 'cycle',
    detail: 'It came about by an event of this same subscription, through a run that was deleted.',
  })
})

test('an event of a run that a subscribed run has called is of the same chain', async () => {
  await subscribe('first', {})
  await emit(database)
  await work()
  const [first] = await starts()
  const called = await startRun(database, 'greet')
  await database.query(
    "update millrace.run set parent_run_id = $2, parent_step = 'say', parent_item = -1, parent_call = 'c', parent_place = 0, detached = false where id = $1",
    [called.run_id, first!.run],
  )
  await emit(database, {}, { run: called.run_id })
  await work()
  expect((await starts()).at(-1)).toMatchObject({ refusal: 'cycle' })
  await database.query(
    'update millrace.run set parent_run_id = null, parent_step = null, parent_item = null, parent_call = null, parent_place = null, detached = null',
  )
})

test('a chain of sixteen events is its end', async () => {
  for (let n = 0; n < 18; n++) await subscribe(`link-${n}`, { event: `link-${n}` })
  await emit(database, {}, { name: 'link-0' })
  for (let n = 1; n < 18; n++) {
    await work()
    const last = (await starts()).at(-1)
    if (last!.run === null) break
    await emit(database, {}, { name: `link-${n}`, run: last!.run })
  }
  const told = await starts()
  expect(told.length).toBe(17)
  expect(told.at(-1)).toMatchObject({ name: 'link-16', refusal: 'too_deep' })
})

test('an event whose start waits for a key that somebody holds is tried again, and holds up neither its emitter nor the others', async () => {
  await subscribe('greet', {})
  await subscribe('keyed', { pipeline: 'keyed', event: 'keyed' })
  await one.query('begin')
  await one.query(`select * from millrace.start_run('keyed', '{"id": "held"}')`)
  const held = await emit(other, { id: 'held' }, { name: 'keyed' })
  const free = await emit(other)
  expect(await work()).toMatchObject({ settled: 1 })
  expect((await starts()).map(({ event }) => event)).toEqual([free])
  await one.query('rollback')
  await database.clock.advance('2 seconds')
  expect(await work()).toMatchObject({ settled: 1 })
  expect((await starts()).map(({ event, refusal }) => [event, refusal])).toEqual([
    [held, null],
    [free, null],
  ])
  await database.clock.reset()
})

test('the same idempotency key is the same event, also while the first one has not committed', async () => {
  await subscribe('all', {})
  await one.query('begin')
  const first = await emit(one, { n: 1 }, { key: 'k' })
  const again = emit(other, { n: 1 }, { key: 'k' })
  await untilBlocked(database)
  await one.query('commit')
  expect(await again).toBe(first)
  expect(await emit(database, { n: 2 }, { key: 'k' })).toBe(first)
  expect(await emit(database, { n: 1 }, { key: 'k', tenant: 'acme' })).not.toBe(first)
  await work()
  expect((await starts()).length).toBe(2)
})

test('an event of a run belongs to the tenant of that run', async () => {
  await subscribe('acme', { tenant: 'acme' })
  const { run_id } = await startRun(database, 'greet')
  await database.query("update millrace.run set tenant = 'acme' where id = $1", [run_id])
  await emit(database, {}, { run: run_id })
  await work()
  expect(await starts()).toMatchObject([{ name: 'acme', tenant: 'acme' }])
})

test('what can not be right is refused by its name', async () => {
  const refused = (text: string, code = 'MR014') =>
    expect(database.query(text)).rejects.toMatchObject({ code })
  await refused("select millrace.emit('')")
  await refused("select millrace.emit('x', tenant => '')")
  await refused("select millrace.emit('x', run_id => gen_random_uuid())", 'MR006')
  await refused(
    "select millrace.emit('x', to_jsonb(array(select md5(i::text) from generate_series(1, 40000) i)))",
  )
  await refused(`select millrace.define_subscription('a b', '{"event": "x", "pipeline": "greet"}')`)
  await refused(
    `select millrace.define_subscription('a', '{"event": "x", "pipeline": "greet", "fliter": {}}')`,
  )
  await refused(
    `select millrace.define_subscription('a', '{"event": "x", "pipeline": "greet", "filter": [1]}')`,
  )
  await refused(
    `select millrace.define_subscription('a', '{"event": "x", "pipeline": "greet", "map": {"a": "b"}}')`,
  )
  await refused(`select millrace.define_subscription('a', '{"event": "x", "pipeline": "none"}')`, 'MR002')
  await refused("select millrace.remove_subscription('none')", 'MR131')
})

test('what code declares is kept as a set: gone from the code it is retired; what an operator changed is left alone', async () => {
  const declare = (...names: string[]) =>
    database.query<{ name: string; change: string }>(
      "select name, change from millrace.define_code_subscriptions($1, array['greet'])",
      [JSON.stringify(names.map((name) => ({ name, settings: { event: 'changed', pipeline: 'greet' } })))],
    )
  expect(await declare('a', 'b')).toEqual([
    { name: 'a', change: 'defined' },
    { name: 'b', change: 'defined' },
  ])
  expect(await declare('a', 'b')).toEqual([
    { name: 'a', change: 'same' },
    { name: 'b', change: 'same' },
  ])
  await subscribe('b', { filter: { by: 'hand' } })
  await subscribe('by-hand', {})
  expect(await declare('b')).toEqual([
    { name: 'a', change: 'retired' },
    { name: 'b', change: 'operator' },
  ])
  await emit(database, { by: 'hand' })
  await work()
  expect((await starts()).map(({ name }) => name)).toEqual(['b', 'by-hand'])
  expect(await declare('a')).toEqual([{ name: 'a', change: 'defined' }])
  await expect(database.query("select millrace.pause_subscription('b', true, 1)")).rejects.toMatchObject({
    code: 'MR030',
  })
  await database.query("select millrace.pause_subscription('b', true, 2)")
})

test('what was worked off more than thirty days ago is pruned, what was not stays', async () => {
  await subscribe('all', {})
  await emit(database)
  await work()
  await database.clock.advance('31 days')
  const kept = await emit(database)
  await pruneAll(database)
  expect(await database.query('select id::text from millrace.emitted_event')).toEqual([{ id: kept }])
  await database.clock.reset()
})

test('events too many or too big for one transaction are started in several, each once, and settled when all of it is', async () => {
  await database.query(
    `insert into millrace.subscription (name, event, slug, source, changed_at, changed_by)
     select 's' || i, 'changed', 'greet', 'operator', now(), 'test' from generate_series(1, 15) i`,
  )
  await database.query(
    `select millrace.emit('changed', jsonb_build_object('n', i, 'text', repeat('x', 900000))) from generate_series(1, 4) i`,
  )
  await database.query("select millrace.emit('other')")
  expect(await work()).toEqual({ settled: 3, more: true })
  expect((await starts()).length).toBe(36)
  expect(await work()).toEqual({ settled: 2, more: false })
  const runs = await database.query(
    'select event_id, subscription_id from millrace.event_start where run_id is not null',
  )
  expect(runs.length).toBe(60)
})

test('a payload is measured by what it says, however small it is stored', async () => {
  await database.query('create table stored (payload jsonb)')
  await database.query("insert into stored values (to_jsonb(repeat('x', 2000000)))")
  await expect(database.query("select millrace.emit('big', payload) from stored")).rejects.toMatchObject({
    code: 'MR014',
  })
})

test('who deletes a run takes what was said by the event that started it', async () => {
  await subscribe('all', {})
  const id = await emit(database, { name: 'Ada' })
  await work()
  const [start] = await starts()
  await database.query('select millrace.cancel_run($1)', [start!.run])
  await database.query('select millrace.delete_run($1)', [start!.run])
  expect(await database.query('select id::text, payload from millrace.emitted_event')).toEqual([
    { id, payload: null },
  ])
  expect(await starts()).toEqual([])
  await work()
  expect(await starts()).toEqual([])
})

test('an event of a deferred trigger, which comes when the step has ended, is still of the chain of its run', async () => {
  await subscribe('all', {})
  await emit(database)
  await work()
  const [start] = await starts()
  await one.query('begin')
  await one.query(
    "select set_config('millrace.attempt', '999999999:1:x', true), set_config('millrace.origin', $1, true)",
    [start!.run],
  )
  await emit(one)
  await one.query('commit')
  await work()
  expect((await starts()).at(-1)).toMatchObject({ refusal: 'cycle' })
})

test('many events whose starts wait for what one transaction holds do not keep the others waiting', async () => {
  await subscribe('greet', {})
  await subscribe('keyed', { pipeline: 'keyed', event: 'keyed' })
  await one.query('begin')
  await one.query(`select * from millrace.start_run('keyed', '{"id": "held"}')`)
  for (let n = 0; n < 12; n++) await emit(other, { id: 'held' }, { name: 'keyed' })
  const free = await emit(other)
  expect(await work(database, 8)).toEqual({ settled: 0, more: true })
  expect(await work(database, 8)).toMatchObject({ settled: 1 })
  expect((await starts()).map(({ event }) => event)).toEqual([free])
  await one.query('rollback')
  await database.clock.advance('1 minute')
  await work()
  expect((await starts()).length).toBe(13)
  await database.clock.reset()
})
