// The order of locks: worker, reach of the rules, tasks by their ids, seats, states. Each test lets two who might wait for each other meet half-way.
import { expect, test } from 'vitest'
import { defineLimit, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  type ClaimedTask,
  claim,
  claimOne,
  type Connection,
  complete,
  connect,
  fail,
  heartbeat,
  registerPipeline,
  release,
  type Sql,
  startInputs,
  startRun,
  startStep,
  sweep,
  untilBlocked,
  withPath,
  type Worker,
} from '../../../test/protocol.ts'
import { park } from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()

const concurrency = (capacity: number, key: string[][] = []) => ({ kind: 'concurrency', capacity, key })
const sleep = (ms: number) => ({ kind: 'sleep' as const, name: 'nap', ms, place: 0 })

const start = (slug: string, inputs: unknown[]) => startInputs(database, slug, inputs)

/** Somebody who has locked these rows until told to let go. */
async function holderOf(query: string, values: unknown[]): Promise<Connection> {
  const holder = await connect(database)
  await holder.query('begin')
  await holder.query(query, values)
  return holder
}

async function letGo(holder: Connection): Promise<void> {
  await holder.query('commit')
  await holder.end()
}

/** These begin one after the other, each once those before it wait; then the holder lets go, and all of them must come to their end. */
async function meet(holder: Connection, ...acts: ReadonlyArray<() => Promise<unknown>>): Promise<void> {
  const under: Promise<unknown>[] = []
  for (const act of acts) {
    const begun = act()
    begun.catch(() => {})
    under.push(begun)
    await untilBlocked(database, under.length)
  }
  await letGo(holder)
  await Promise.all(under)
}

/** A heartbeat from now on stops half-way: what it must promote belongs to a run that somebody has locked. */
async function gate(slug: string): Promise<Connection> {
  const worker = await workerOf(database, slug, chain('only'))
  const [run] = await start(slug, [1])
  await park(database, worker, [{ task: await claimOne(database, worker), waits: [sleep(1_000)] }])
  return holderOf('select from millrace.run where id = $1 for update', [run])
}

test('a heartbeat that has promoted one branch of a run meets the parking of the other', async () => {
  const worker = await workerOf(database, 'branches', [
    { name: 'x', after: [] },
    { name: 'y', after: [] },
  ])
  await defineLimit(database, 'branches', concurrency(10), [{ slug: 'branches', step: 'y' }])
  await start('branches', [1])
  const steps = await database.query<{ id: number; step: string }>(
    "select id, step from millrace.step_definition where slug = 'branches'",
  )
  const held = await claim(database, worker, 2)
  const named = (step: string) =>
    held.find(({ step_id: id }) => steps.find((known) => known.id === id)?.step === step)!
  await park(database, worker, [{ task: named('x'), waits: [sleep(1_000)] }])
  const holder = await gate('branches-gate')
  await database.clock.advance('5s')
  await start('branches', [2])
  await meet(
    holder,
    () => heartbeat(one, worker, [], { room: 10 }),
    () => park(other, worker, [{ task: named('y'), waits: [sleep(60_000)] }]),
  )
})

test('a heartbeat that has swept a worker meets an end under two limits, one of which has seats', async () => {
  const worker = await workerOf(database, 'seats', chain('only'))
  await defineLimit(database, 'seats-wide', concurrency(20), 'seats')
  await defineLimit(database, 'seats-narrow', concurrency(5, [['k']]), 'seats')
  await start(
    'seats',
    Array.from({ length: 20 }, (_, n) => ({ k: n % 5 })),
  )
  const [first, ...held] = await claim(database, worker, 20)
  await complete(database, worker, [{ task: first! }])
  const lost = await workerFor(database, 'seats', { leaseSeconds: 1 })
  await start('seats', [{ k: 0 }])
  await claim(database, lost, 1)
  const holder = await gate('seats-gate')
  await database.clock.advance('15s')
  await start(
    'seats',
    Array.from({ length: 10 }, (_, n) => ({ k: 10 + n })),
  )
  const same = held.find(({ input }) => (input as { k: number }).k === 0)!
  await meet(
    holder,
    () => heartbeat(one, worker, [], { room: 10, sweep: true }),
    () => complete(other, worker, [{ task: same }]),
  )
})

test('a heartbeat that has promoted who waits for a rate meets its removal', async () => {
  const worker = await workerOf(database, 'removed', chain('only'))
  await defineLimit(database, 'removed', { kind: 'rate', units: 1, per_ms: 1_000, burst: 1 }, 'removed')
  await start('removed', [1, 2, 3])
  await claim(database, worker, 5)
  const holder = await gate('removed-gate')
  await database.clock.advance('5s')
  await meet(
    holder,
    () => heartbeat(one, worker, [], { room: 10 }),
    () => other.query("select millrace.remove_limit('removed')"),
  )
})

test('a heartbeat that had nothing to promote claims keys that are new, also while others wait', async () => {
  const worker = await workerOf(database, 'new-keys', chain('only'))
  await defineLimit(database, 'new-keys', concurrency(1, [['k']]), 'new-keys')
  await start('new-keys', [{ k: 1 }, { k: 1 }])
  await claim(database, worker, 5)
  const [run] = await start('new-keys', [{ k: 2 }])
  await database.clock.advance('5s')
  const claimed: ClaimedTask[] = []
  for (let beats = 0; beats < 2; beats++) {
    const told = await heartbeat(database, worker, [], { room: 5, sweep: true })
    claimed.push(...(told as unknown as ClaimedTask[]).filter(({ run_id: id }) => id === run))
  }
  expect(claimed).toHaveLength(1)
})

test.each(['define', 'remove'])(
  'who completes a step and starts another one in a transaction of their own meets who changes a limit: %s',
  async (how) => {
    const slug = `outside-${how}`
    await workerOf(database, slug, chain('only'))
    if (how === 'remove') await defineLimit(database, slug, concurrency(5), slug)
    const [a, b] = await start(slug, [1, 2])
    const first = await startStep(database, a!, 'only')
    await one.query('begin')
    await one.query("select millrace.complete_step($1, 'only', $2)", [a, first.attempt])
    const changed: Promise<unknown> =
      how === 'define'
        ? defineLimit(other, slug, concurrency(5), slug)
        : other.query('select millrace.remove_limit($1)', [slug])
    changed.catch(() => {})
    await untilBlocked(database)
    await startStep(one, b!, 'only')
    await one.query('commit')
    await changed
  },
)

test('a batch of failures meets who defines a limit', async () => {
  const worker = await workerOf(database, 'failures', chain('only'))
  const [, second] = await start('failures', [1, 2])
  const held = await claim(database, worker, 2)
  const holder = await connect(database)
  await holder.query('begin')
  await cancelRun(holder, second!)
  await meet(
    holder,
    () =>
      fail(
        one,
        worker,
        held.map((task) => ({ task })),
      ),
    () => defineLimit(other, 'failures', concurrency(5), 'failures'),
  )
})

test('ends of a limit for which somebody waits meet a change of its reach', async () => {
  const worker = await workerOf(database, 'reach', chain('only'))
  await workerOf(database, 'reach-too', chain('only'))
  await defineLimit(database, 'reach', concurrency(3), 'reach')
  await start('reach', [1, 2, 3, 4, 5])
  const held = await claim(database, worker, 5)
  const third = await connect(database)
  const holder = await holderOf(
    'select from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = $1 for update of s',
    ['reach'],
  )
  await meet(
    holder,
    () => complete(one, worker, [{ task: held[0]! }]),
    () => defineLimit(other, 'reach', concurrency(3), [{ slug: 'reach' }, { slug: 'reach-too' }]),
    () => complete(third, worker, [{ task: held[1]! }]),
  )
  await third.end()
})

test('a change of a limit waits behind a transaction of somebody, and nobody behind it', async () => {
  const worker = await workerOf(database, 'beside-long', chain('only'))
  await workerOf(database, 'long', chain('only'))
  await defineLimit(database, 'long', concurrency(5), 'long')
  const [a] = await start('long', [1])
  await start('beside-long', [1])
  await one.query('begin')
  await startStep(one, a!, 'only')
  const changed = defineLimit(other, 'long', concurrency(6), 'long')
  changed.catch(() => {})
  await untilBlocked(database)
  const task = await claimOne(database, worker)
  await complete(database, worker, [{ task }])
  await one.query('commit')
  await changed
})

const ends = {
  complete: (sql: Sql, worker: Worker, tasks: ClaimedTask[]) =>
    complete(
      sql,
      worker,
      tasks.map((task) => ({ task })),
    ),
  fail: (sql: Sql, worker: Worker, tasks: ClaimedTask[]) =>
    fail(
      sql,
      worker,
      tasks.map((task) => ({ task, delayMs: 0 })),
    ),
  release: (sql: Sql, worker: Worker, tasks: ClaimedTask[]) => release(sql, worker, tasks),
}

test.each(['complete', 'fail', 'release'] as const)(
  'a batch meets the migration of its runs to another version: %s',
  async (how) => {
    const slug = `moved-${how}`
    await registerPipeline(database, slug, [
      { name: 'a', max_attempts: 5 },
      { name: 'b', after: ['a'] },
    ])
    const worker = await workerFor(database, slug)
    await start(slug, [1, 2, 3])
    const held = await claim(database, worker, 3)
    await registerPipeline(database, slug, [
      { name: 'a', max_attempts: 5 },
      { name: 'c', after: ['a'] },
    ])
    const holder = await holderOf('select from millrace.task where id = $1 for update', [held[1]!.task_id])
    await meet(
      holder,
      () => other.query('select * from millrace.migrate_runs($1, 1, 2)', [slug]),
      () => ends[how](one, worker, [held[2]!, held[0]!]),
    )
  },
)

test('the cancellation of a run meets the removal of the limit for which its steps wait', async () => {
  const worker = await workerOf(database, 'gone', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
  ])
  await defineLimit(database, 'gone', sharedKey(1), 'gone')
  await start('gone', [1])
  await claim(database, worker, 2)
  const [run] = await start('gone', [2])
  await claim(database, worker, 5)
  const [first] = await database.query<{ id: string }>(
    'select id from millrace.waiting_task where run_id = $1 order by id',
    [run],
  )
  // As ageing does: the order in which they are called is not that of their ids.
  await database.query('update millrace.waiting_task set priority = 4 where id = $1', [first!.id])
  const holder = await holderOf('select from millrace.waiting_task where id = $1 for update', [first!.id])
  await meet(
    holder,
    () => cancelRun(one, run!),
    () => other.query("select millrace.remove_limit('gone')"),
  )
  await sweep(database)
})

test('while somebody keeps what waits for a limit locked, its removal is tried again and again, and others claim and end meanwhile', async () => {
  const worker = await workerOf(database, 'kept-open', chain('only'))
  await defineLimit(database, 'kept-open', sharedKey(1), 'kept-open')
  await start('kept-open', [1, 2])
  const [held] = await claim(database, worker, 5)
  const holder = await holderOf(
    `select from millrace.waiting_task w join millrace.limit_state s on s.id = w.limit_state_id
       join millrace.limit_rule k on k.id = s.rule_id where k.name = $1 for update of w`,
    ['kept-open'],
  )
  const removed = other.query("select millrace.remove_limit('kept-open')")
  removed.catch(() => {})
  await untilBlocked(database)
  await heartbeat(one, worker, [held!])
  await release(one, worker, [held!])
  await letGo(holder)
  await removed
})

test('a limit that can not be changed behind a transaction says so by a code of its own, and one that comes after another one in a transaction says so at once', async () => {
  await workerOf(database, 'first', chain('only'))
  const worker = await workerOf(database, 'blocked', chain('only'))
  await defineLimit(database, 'blocked', sharedKey(1), 'blocked')
  const blocked = "(select k from millrace.limit_rule k where k.name = 'blocked')"
  const rewrite = (sql: Sql, tries: number) =>
    sql.query(withPath(`millrace.change_limit(${blocked}, ${blocked}, '[]', true, $1)`), [tries])
  const holder = await holderOf('lock table millrace.limited_step in access share mode', [])
  await expect(rewrite(database, 1)).rejects.toMatchObject({
    code: 'MR061',
    message: expect.stringContaining("Limit 'blocked'"),
    hint: expect.stringContaining('npx millrace doctor'),
  })
  await letGo(holder)
  await rewrite(database, 1)

  await start('blocked', [1, 2])
  await claim(database, worker, 5)
  const state = await holderOf(
    `select from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = $1 and s.waiting for update of s`,
    ['blocked'],
  )
  await one.query('begin')
  await defineLimit(one, 'first', concurrency(7), 'first')
  // So many tries would take longer than the test may.
  await expect(rewrite(one, 100_000)).rejects.toMatchObject({ code: 'MR061' })
  await one.query('rollback')
  await letGo(state)
})

test('a heartbeat that claimed without waiting for keys that are new has the worker look again', async () => {
  const worker = await workerOf(database, 'looks', chain('only'))
  await defineLimit(database, 'looks', concurrency(1, [['k']]), 'looks')
  const told = async () => (await heartbeat(database, worker, [], { room: 5 })).map(({ kind }) => kind)
  // What the tests before have left is called by the first.
  await told()
  expect(await told()).not.toContain('look')
  const later = new Date((await database.clock.now()).getTime() + 1_000).toISOString()
  await startRun(database, 'looks', { k: 1 }, { availableAt: later })
  await database.clock.advance('2s')
  expect(await told()).toContain('look')
  expect(await claim(database, worker, 5)).toHaveLength(1)
})
