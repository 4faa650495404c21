// What a rule without keys stops stays where it is ready: exactly as many begin as there is room for, in their order, whoever claims, and who is left is told so.
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { readHealth } from '../../../src/db/health.ts'
import { defineLimit, limitsOf, miscounted, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { callerOf } from '../../../test/watched.ts'
import { workerFor, workerOf, workerOfAll } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  claimOne,
  complete,
  completeAll,
  heartbeat,
  lanesOf,
  registerPipeline,
  runsOf,
  type Sql,
  startInputs,
  untilBlocked,
  withPath,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

const concurrency = (capacity: number) => ({ kind: 'concurrency', capacity })

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

/** How many of a pipeline's tasks were taken out of their lanes. */
const takenOut = async (slug: string) => {
  const rows = await database.query<{ count: number }>(
    'select count(*)::int as count from millrace.waiting_task w join millrace.run r on r.id = w.run_id where r.slug = $1',
    [slug],
  )
  return rows[0]!.count
}

const why = async (run: string) => {
  const rows = await database.query<{ reason: string; sentence: string; due_at: Date | null }>(
    'select reason, sentence, due_at from millrace.why($1)',
    [run],
  )
  return rows[0]!
}

const waitsTold = (run: string) =>
  database.query<{ step: string; attempt: number; detail: unknown }>(
    "select step, attempt, detail from millrace.event where run_id = $1 and kind = 'limit.waited'",
    [run],
  )

const inLanes = async (name: string) => {
  const rows = await database.query<{ in_lanes: boolean }>(
    'select in_lanes from millrace.limit_rule where name = $1',
    [name],
  )
  return rows[0]!.in_lanes
}

test('as many begin as there is room for, first come, first served, and the others stay where they are', async () => {
  const worker = await workerOf(database, 'plain', chain('only'))
  await defineLimit(database, 'plain', concurrency(3), 'plain')
  const runs = await startInputs(database, 'plain', numbers(9))
  const first = await claim(database, worker, 10)
  expect(runsOf(first)).toEqual(runs.slice(0, 3))
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await limitsOf(database, 'plain')).toEqual([{ key: '', used: 3, waiting: 6 }])
  await completeAll(database, worker, first.slice(0, 2))
  const second = await claim(database, worker, 10)
  expect(runsOf(second)).toEqual(runs.slice(3, 5))
  await completeAll(database, worker, [...first.slice(2), ...second])
  // Room of the worker's that is less than the rule's.
  const third = await claim(database, worker, 1)
  expect(runsOf(third)).toEqual([runs[5]])
  expect(runsOf(await claim(database, worker, 10))).toEqual(runs.slice(6, 8))
  expect(await takenOut('plain')).toBe(0)
})

test('what is more urgent begins first, and a pipeline that is paused is not waited behind', async () => {
  const worker = await workerOfAll(database, ['urgent', 'halted'], chain('only'))
  await defineLimit(database, 'urgent', concurrency(2), [{ slug: 'urgent' }, { slug: 'halted' }])
  const halted = await startInputs(database, 'halted', numbers(2), 1)
  const later = await startInputs(database, 'urgent', numbers(3), 7)
  const sooner = await startInputs(database, 'urgent', numbers(1), 2)
  await database.query("select millrace.pause_pipeline('halted')")
  const first = await claim(database, worker, 10)
  expect(new Set(runsOf(first))).toEqual(new Set([sooner[0], later[0]]))
  await database.query("select millrace.resume_pipeline('halted')")
  await completeAll(database, worker, first)
  expect(new Set(runsOf(await claim(database, worker, 10)))).toEqual(new Set(halted))
})

test('why, the limit, the account and the health say of who was left that it waits, and the history that it has waited', async () => {
  const worker = await workerOf(database, 'told-in-lanes', chain('only'))
  await defineLimit(database, 'told-in-lanes', concurrency(1), 'told-in-lanes')
  const healthBefore = await readHealth(callerOf(database))
  const [holder, next, last] = await startInputs(database, 'told-in-lanes', numbers(3))
  const held = await claim(database, worker, 10)
  expect(await why(next!)).toMatchObject({ reason: 'limit', due_at: null })
  expect((await why(next!)).sentence).toMatch(
    /^'only' waits since .* for limit 'told-in-lanes', which has 1 of 1 slot in use: by 'only' of run /,
  )
  expect((await why(next!)).sentence).toContain(`'only' of run ${holder}; it is the next.`)
  expect((await why(last!)).sentence).toMatch(/; one other comes before it\.$/)
  const [listed] = await database.query<{ waiting: number }>(
    "select (busiest -> 0 ->> 'waiting')::int as waiting from millrace.list_limits('told-in-lanes')",
  )
  expect(listed!.waiting).toBe(2)
  const [account] = await database.query<{ open: unknown; step: unknown }>(
    `select a -> 'tasks' -> 'listed' -> 0 as open, a -> 'steps' -> 0 as step from millrace.run_account($1) a`,
    [last],
  )
  expect(account!.open).toMatchObject({
    state: 'waiting',
    reason: 'limit',
    limit: { name: 'told-in-lanes', key: '' },
  })
  expect(account!.step).toMatchObject({ ready: 0, waiting: 1 })
  const health = await readHealth(callerOf(database))
  expect(health.waiting - healthBefore.waiting).toBe(2)
  expect(health.queues[0]!.ready).toBe(healthBefore.queues[0]?.ready ?? 0)
  await completeAll(database, worker, held)
  // There is room again: it waits for a worker alone.
  expect((await why(next!)).reason).toBe('queued')
  await completeAll(database, worker, await claim(database, worker, 10))
  expect(await waitsTold(holder!)).toEqual([])
  expect(await waitsTold(next!)).toEqual([
    { step: 'only', attempt: 1, detail: { limit: 'told-in-lanes', key: '' } },
  ])
  await completeAll(database, worker, await claim(database, worker, 10))
  await database.clock.advance('1s')
  const [after] = await startInputs(database, 'told-in-lanes', numbers(1))
  expect(runsOf(await claim(database, worker, 10))).toEqual([after])
  expect(await waitsTold(after!)).toEqual([])
})

test('who gives a slot back wakes sleeping workers where somebody was left, and only there', async () => {
  const worker = await workerOf(database, 'bell', chain('only'))
  await defineLimit(database, 'bell', concurrency(1), 'bell')
  await startInputs(database, 'bell', numbers(2))
  const first = await claim(database, worker, 10)
  await database.query('update millrace.worker set sleeping = true where id = $1', [worker.id])
  const connection = new pg.Client({ connectionString: database.url })
  await connection.connect()
  let woken = 0
  connection.on('notification', ({ channel }) => {
    if (channel === 'millrace_wake') woken += 1
  })
  await connection.query('listen millrace_wake')
  await connection.query('listen mark')
  await completeAll(database, worker, first)
  // Its own notification comes after all that were sent before.
  await connection.query('notify mark')
  expect(woken).toBe(1)
  await completeAll(database, worker, await claim(database, worker, 10))
  await connection.query('notify mark')
  expect(woken).toBe(1)
  await connection.end()
})

test('claims that meet take no more than there is room for, and each what the other leaves', async () => {
  const worker = await workerOf(database, 'met-in-lanes', chain('only'))
  const second = await workerFor(database, 'met-in-lanes')
  await defineLimit(database, 'met-in-lanes', concurrency(5), 'met-in-lanes')
  const runs = await startInputs(database, 'met-in-lanes', numbers(8))
  await one.query('begin')
  expect(runsOf(await claim(one, worker, 3))).toEqual(runs.slice(0, 3))
  const meanwhile = claim(other, second, 10)
  await untilBlocked(database)
  await one.query('commit')
  expect(runsOf(await meanwhile)).toEqual(runs.slice(3, 5))
})

test('a heartbeat that has locked something waits for no claim of the same limit, and takes none of its slots', async () => {
  const worker = await workerOf(database, 'patient', chain('only'))
  const second = await workerFor(database, 'patient')
  await defineLimit(database, 'patient', concurrency(5), 'patient')
  await startInputs(database, 'patient', numbers(8))
  await claim(database, worker, 1)
  await one.query('begin')
  await claim(one, worker, 2)
  await other.query('begin')
  await other.query('update millrace.worker set name = name where id = $1', [second.id])
  expect((await heartbeat(other, second, [], { room: 10 })).filter(({ kind }) => kind === 'task')).toEqual([])
  await other.query('commit')
  await one.query('commit')
  expect(await claim(database, second, 10)).toHaveLength(2)
})

test('who claims beside the lanes of a limit does not pass those who were left there', async () => {
  const all = await workerOfAll(database, ['left-early', 'come-late'], chain('only'))
  await defineLimit(database, 'beside', concurrency(1), [{ slug: 'left-early' }, { slug: 'come-late' }])
  const early = await startInputs(database, 'left-early', numbers(3))
  const first = await claim(database, all, 10)
  const late = await startInputs(database, 'come-late', numbers(1))
  const narrow = await workerFor(database, 'come-late')
  await database.query('update millrace.worker set sleeping = true where id = $1', [all.id])
  await completeAll(database, all, first)
  expect(await claim(database, narrow, 10)).toEqual([])
  const order: string[] = []
  for (let left = 3; left > 0; left--) {
    // Who was called is claimed by whoever serves it.
    const claimed = [...(await claim(database, all, 10)), ...(await claim(database, all, 10))]
    order.push(...runsOf(claimed))
    await completeAll(database, all, claimed)
  }
  expect(order).toEqual([...early.slice(1), late[0]])
})

test('a place that has come free is kept for two seconds for what another worker serves and was ready before', async () => {
  const early = await workerOf(database, 'kept-early', chain('only'))
  const late = await workerOf(database, 'kept-late', chain('only'))
  await defineLimit(database, 'kept', concurrency(2), [{ slug: 'kept-early' }, { slug: 'kept-late' }])
  await startInputs(database, 'kept-early', numbers(1))
  const sleep = (sleeping: boolean) =>
    database.query('update millrace.worker set sleeping = $2 where id = $1', [early.id, sleeping])
  await sleep(true)
  const first = await claim(database, early, 10)
  const [waiting] = await startInputs(database, 'kept-early', numbers(1))
  const [later] = await startInputs(database, 'kept-late', numbers(1))
  await startInputs(database, 'kept-early', numbers(1))
  await completeAll(database, early, first)
  // Two places, of which the first is that of whoever was ready before.
  expect(runsOf(await claim(database, late, 10))).toEqual([later])
  await startInputs(database, 'kept-late', numbers(1))
  expect(await claim(database, late, 10)).toEqual([])
  // Each look in between leaves the two seconds as they are.
  await database.clock.advance('1s')
  expect(await claim(database, late, 10)).toEqual([])
  await database.clock.advance('500ms')
  expect(await claim(database, late, 10)).toEqual([])
  await database.clock.advance('600ms')
  const [overtaking] = await claim(database, late, 10)
  expect(overtaking).toBeDefined()
  expect(await claim(database, early, 10)).toEqual([])
  await completeAll(database, late, [overtaking!])
  expect(runsOf(await claim(database, early, 10))).toEqual([waiting])
})

test('nothing is kept for a worker without a free slot, and what is more urgent there goes before', async () => {
  const busy = await workerOf(database, 'kept-busy', chain('only'))
  const free = await workerOf(database, 'kept-free', chain('only'))
  await defineLimit(database, 'kept-for', concurrency(1), [{ slug: 'kept-busy' }, { slug: 'kept-free' }])
  const [first, second] = await startInputs(database, 'kept-free', numbers(2))
  await startInputs(database, 'kept-busy', numbers(1), 1)
  const begun = await claim(database, free, 10)
  expect(runsOf(begun)).toEqual([first])
  await database.query('update millrace.worker set sleeping = true where id = $1', [busy.id])
  await completeAll(database, free, begun)
  expect(await claim(database, free, 10)).toEqual([])
  await database.query('update millrace.worker set sleeping = false where id = $1', [busy.id])
  expect(runsOf(await claim(database, free, 10))).toEqual([second])
})

test('a backlog whose limit has room again with every end keeps no new key of another limit waiting', async () => {
  const worker = await workerOfAll(database, ['refilling', 'keyed-behind'], chain('only'))
  await defineLimit(database, 'refilling', concurrency(1), 'refilling')
  await defineLimit(database, 'keyed-behind', { ...concurrency(1), key: [['k']] }, 'keyed-behind')
  await startInputs(database, 'refilling', numbers(9))
  const [behind] = await startInputs(database, 'keyed-behind', [{ k: 'never seen' }])
  const runs: string[] = []
  for (let n = 0; n < 2; n++) {
    const claimed = await claim(database, worker, 10)
    runs.push(...runsOf(claimed))
    await completeAll(database, worker, claimed)
  }
  expect(runs).toContain(behind)
})

test('a backlog behind a full limit is in the way of nothing else that is limited, and a claim beside it waits for nobody', async () => {
  const worker = await workerOfAll(database, ['in-front', 'behind'], chain('only'))
  await defineLimit(database, 'in-front', concurrency(1), 'in-front')
  await defineLimit(database, 'behind', { ...concurrency(1), key: [['k']] }, 'behind')
  await startInputs(database, 'in-front', numbers(5), 1)
  await claim(database, worker, 10)
  await one.query('begin')
  await one.query(
    "select from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = 'in-front' for update of s",
  )
  // Of keys that no rule has counted before.
  const others = await startInputs(database, 'behind', [{ k: 'a' }, { k: 'b' }, { k: 'a' }])
  expect(runsOf(await claim(other, worker, 10))).toEqual(others.slice(0, 2))
  await one.query('rollback')
})

test('a pipeline that is registered while a rule is defined waits for it before it locks anything that the rule needs', async () => {
  await workerOf(database, 'defined', chain('only'))
  await defineLimit(database, 'defined', concurrency(1), 'defined')
  await one.query('begin')
  await one.query('lock table millrace.limit_rule in share row exclusive mode')
  const registered = registerPipeline(other, 'defined-too', chain('only'))
  await untilBlocked(database)
  await one.query('lock table millrace.limited_step in access exclusive mode nowait')
  await one.query('commit')
  await registered
})

test('a limit that holds for some steps, has keys or stands beside another one takes out who waits, and one that stands alone again does not', async () => {
  const worker = await workerOf(database, 'steps', chain('first', 'second'))
  await defineLimit(database, 'steps', concurrency(1), 'steps')
  expect(await inLanes('steps')).toBe(true)
  await defineLimit(database, 'steps', concurrency(1), [{ slug: 'steps', step: 'second' }])
  expect(await inLanes('steps')).toBe(false)
  await defineLimit(database, 'steps', sharedKey(1), 'steps')
  expect(await inLanes('steps')).toBe(false)
  await defineLimit(database, 'steps', { ...concurrency(1), fifo: 'block' }, 'steps')
  expect(await inLanes('steps')).toBe(false)
  await defineLimit(database, 'steps', concurrency(1), 'steps')
  expect(await inLanes('steps')).toBe(true)
  const runs = await startInputs(database, 'steps', numbers(3))
  const first = await claim(database, worker, 10)
  await defineLimit(
    database,
    'steps-too',
    { kind: 'rate', units: 1_000, per_ms: 1_000, burst: 1_000 },
    'steps',
  )
  expect(await inLanes('steps')).toBe(false)
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await takenOut('steps')).toBe(2)
  await database.query("select millrace.remove_limit('steps-too')")
  expect(await inLanes('steps')).toBe(true)
  await completeAll(database, worker, first)
  // Who waited apart from the lanes is called first.
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[1]])
})

test('nothing begins while a handler has asked for quiet, and all go on after it', async () => {
  const worker = await workerOf(database, 'quiet', chain('only'))
  await defineLimit(database, 'quiet', concurrency(3), 'quiet')
  await startInputs(database, 'quiet', numbers(3))
  const task = await claimOne(database, worker)
  await database.query('select millrace.back_off($1, $2, $3, $4, $5, $6)', [
    worker.id,
    worker.lockKey,
    task.task_id,
    task.step_id,
    task.attempt,
    30_000,
  ])
  expect(await claim(database, worker, 10)).toEqual([])
  await database.clock.advance('31s')
  expect(await claim(database, worker, 10)).toHaveLength(2)
})

test('a backlog behind a full limit keeps no start and no next step of others from the worker at hand', async () => {
  const worker = await workerOfAll(database, ['full-lane', 'open-lane'], chain('first', 'second'))
  await defineLimit(database, 'full-lane', concurrency(1), 'full-lane')
  await startInputs(database, 'full-lane', numbers(5), 1)
  await claim(database, worker, 10)
  const mayHandOver = async (sql: Sql) => {
    const rows = await sql.query<{ may: boolean }>(
      withPath(
        "millrace.may_hand_over($1, $2, array(select h.id from millrace.handler h where h.slug = 'open-lane'), 5::smallint)",
      ),
      [worker.id, worker.lockKey],
    )
    return Object.values(rows[0]!).at(-1)
  }
  expect(await mayHandOver(database)).toBe(true)
  await startInputs(database, 'open-lane', [1])
  expect(await mayHandOver(database)).toBe(false)
  const [task] = await claim(database, worker, 10)
  const [next] = await complete(database, worker, [{ task: task! }])
  expect(next).toMatchObject({ kind: 'next' })
})

test('behind positions that a worker has seen, and beside tasks that somebody has locked, the next in order begins', async () => {
  const worker = await workerOf(database, 'seen', chain('only'))
  await defineLimit(database, 'seen', concurrency(2), 'seen')
  const runs = await startInputs(database, 'seen', numbers(6))
  const first = await claim(database, worker, 10)
  await completeAll(database, worker, first)
  const lanes = lanesOf(worker.handlers)
  const seen = Number(first.at(-1)!.task_id)
  await one.query('begin')
  await one.query('select from millrace.task where run_id = $1 for update', [runs[2]])
  const second = await claim(database, worker, 10, { ...lanes, positions: lanes.positions.map(() => seen) })
  expect(runsOf(second)).toEqual(runs.slice(3, 5))
  await one.query('rollback')
  await completeAll(database, worker, second)
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[2], runs[5]])
})
