// Moving live runs to another version: what may move does and comes to its end there, what may not says why, and nobody is moved half-way.
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { until } from '../../../test/deadline.ts'
import { defineLimit } from '../../../test/limits.ts'
import {
  chain,
  claim,
  claimOne,
  complete,
  connect,
  fail,
  heartbeat,
  newId,
  outcomesOf,
  pauseRun,
  promote,
  registerPipeline,
  registerWorker,
  release,
  resumeRun,
  runOf,
  startRun,
  startRuns,
  type StepSpec,
  sweep,
  untilBlocked,
  type Worker,
  workOff,
} from '../../../test/protocol.ts'
import { park } from '../../../test/waiting.ts'

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

interface Moved {
  run_id: string
  moved: boolean
  reason: string | null
}

function migrate(
  slug: string,
  from: number,
  to: number | null = null,
  more: {
    matching?: unknown
    runs?: string[]
    tenant?: string
    most?: number
    after?: string
    dry?: boolean
  } = {},
): Promise<Moved[]> {
  return database.query<Moved & Record<string, unknown>>(
    'select * from millrace.migrate_runs($1, $2, $3, $4, $5, $6, $7, $8, $9)',
    [
      slug,
      from,
      to,
      more.matching === undefined ? null : JSON.stringify(more.matching),
      more.runs ?? null,
      more.tenant ?? null,
      more.most ?? 100,
      more.after ?? null,
      more.dry ?? false,
    ],
  )
}

/** A worker for each of two versions, the first of which is taken away before the second works. */
async function twoVersions(
  slug: string,
  one: StepSpec[],
  other: StepSpec[],
): Promise<{ old: Worker; young: () => Promise<Worker> }> {
  const first = await registerPipeline(database, slug, one)
  const second = await registerPipeline(database, slug, other)
  const handlersOf = ({ steps }: typeof first): number[] => [...new Set(steps.map(({ handler }) => handler))]
  return {
    old: await registerWorker(database, { handlers: handlersOf(first) }),
    young: () => registerWorker(database, { handlers: handlersOf(second) }),
  }
}

test('a run goes on in the other version where it stands, keeps what is done, and says that it was moved', async () => {
  const { old, young } = await twoVersions('chained', chain('a', 'b', 'c'), [
    ...chain('a', 'b'),
    { name: 'd', after: ['b'], queue: 'mail' },
  ])
  const { run_id } = await startRun(database, 'chained', null, { version: 1 })
  const task = await claimOne(database, old)
  expect(await migrate('chained', 1)).toEqual([{ run_id, moved: false, reason: "'a' runs at present" }])
  await database.query('select millrace.pause_worker($1)', [old.id])
  await complete(database, old, [{ task, output: 'kept' }])
  expect(await migrate('chained', 1, 2, { dry: true })).toEqual([{ run_id, moved: true, reason: null }])
  expect(await runOf(database, run_id)).toMatchObject({ version: 1 })
  expect(await migrate('chained', 1)).toEqual([{ run_id, moved: true, reason: null }])
  expect(await migrate('chained', 1)).toEqual([])
  await workOff(database, await young())
  expect(await runOf(database, run_id)).toMatchObject({ version: 2, state: 'completed', output: 'd' })
  expect(await outcomesOf(database, run_id)).toEqual(['a completed', 'b completed', 'd completed'])
  expect(
    await database.query("select detail from millrace.event where run_id = $1 and kind = 'run.migrated'", [
      run_id,
    ]),
  ).toEqual([{ detail: { from: 1, to: 2 } }])
})

test('a step that is gone, of another kind, or after others keeps its run where it is, with the reason', async () => {
  const { old } = await twoVersions(
    'refused',
    [
      { name: 'a', after: [] },
      { name: 'b', after: ['a'] },
      { name: 'c', after: [] },
    ],
    [
      { name: 'c', after: [] },
      { name: 'b', after: ['c'] },
      { name: 'z', kind: 'map', over: 'c', after: ['c'] },
    ],
  )
  const { run_id } = await startRun(database, 'refused', null, { version: 1 })
  expect(await migrate('refused', 1)).toEqual([{ run_id, moved: false, reason: "'a' is gone" }])
  await registerPipeline(database, 'refused', [
    { name: 'c', after: [] },
    { name: 'a', after: [] },
    { name: 'b', after: ['a', 'c'] },
  ])
  expect(await migrate('refused', 1, 3, { dry: true })).toMatchObject([{ moved: true }])
  const tasks = await claim(database, old, 2)
  await database.query('select millrace.pause_worker($1)', [old.id])
  await complete(
    database,
    old,
    tasks.map((task) => ({ task })),
  )
  expect(await migrate('refused', 1, 3)).toEqual([
    { run_id, moved: false, reason: "'b' came after 'a' and comes after 'a', 'c'" },
  ])
  await database.query('select millrace.cancel_run($1)', [run_id])
  expect(await migrate('refused', 1, 3)).toEqual([])
})

test('a join counts what is left of it in the other version, and a new step whose needs are done begins at once', async () => {
  const { old, young } = await twoVersions(
    'joining',
    [
      { name: 'a', after: [] },
      { name: 'b', after: [] },
      { name: 'join', after: ['a', 'b'] },
    ],
    [
      { name: 'a', after: [] },
      { name: 'b', after: [] },
      { name: 'beside', after: ['a'] },
      { name: 'fresh', after: [] },
      { name: 'join', after: ['a', 'b', 'beside'] },
    ],
  )
  const { run_id } = await startRun(database, 'joining', null, { version: 1 })
  const a = await claimOne(database, old)
  await complete(database, old, [{ task: a }])
  expect(await migrate('joining', 1)).toMatchObject([{ moved: true }])
  expect(
    await database.query(
      'select d.step from millrace.task t join millrace.step_definition d on d.id = t.step_id where t.run_id = $1 order by 1',
      [run_id],
    ),
  ).toEqual([{ step: 'b' }, { step: 'beside' }, { step: 'fresh' }])
  await workOff(database, await young())
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'completed',
    output: { fresh: 'fresh', join: 'join' },
  })
})

test('a map under way keeps its items, a new map over a list that is there begins, and one over an empty list is over', async () => {
  const listed: StepSpec[] = [
    { name: 'list', after: [] },
    { name: 'none', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
  ]
  const { old, young } = await twoVersions('mapping', listed, [
    ...listed,
    { name: 'again', kind: 'map', over: 'list', after: ['list'] },
    { name: 'nothing', kind: 'map', over: 'none', after: ['none'] },
    { name: 'last', after: ['each', 'again', 'nothing'] },
  ])
  const { run_id } = await startRun(database, 'mapping', null, { version: 1 })
  const tasks = await claim(database, old, 2)
  const items = await complete(
    database,
    old,
    tasks.map((task) => ({ task, output: task === tasks[0] ? [1, 2, 3] : [] })),
    { room: 1 },
  )
  await database.query('select millrace.pause_worker($1)', [old.id])
  const [first, ...rest] = items.map((task) => ({ ...task, run_id }))
  if (first !== undefined) await complete(database, old, [{ task: first, output: 10 }])
  await release(database, old, rest)
  expect(await migrate('mapping', 1)).toMatchObject([{ moved: true }])
  await workOff(database, await young(), (step, task) => (task.item >= 0 ? task.item_value : step))
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'last' })
  const outcomes = (await outcomesOf(database, run_id)).filter((text) => text.endsWith('completed'))
  expect(outcomes.filter((text) => text.startsWith('each'))).toHaveLength(3)
  expect(outcomes.filter((text) => text.startsWith('again'))).toHaveLength(3)
  expect(outcomes).toContain('nothing completed')
})

test('a retry keeps its failures and its time, and a paused run stays paused', async () => {
  const { old, young } = await twoVersions('waiting', chain('a'), chain('a', 'b'))
  const { run_id } = await startRun(database, 'waiting', null, { version: 1 })
  await fail(database, old, [{ task: await claimOne(database, old), delayMs: 60_000 }])
  await pauseRun(database, run_id)
  expect(await migrate('waiting', 1)).toMatchObject([{ moved: true }])
  const worker = await young()
  await database.clock.advance('2 minutes')
  await promote(database)
  expect(await claim(database, worker, 10)).toEqual([])
  await resumeRun(database, run_id)
  const [task] = await claim(database, worker, 10)
  expect(task).toMatchObject({ run_id, attempt: 2, failures: 1 })
  if (task !== undefined) await complete(database, worker, [{ task }], { room: 1 })
  await workOff(database, worker)
  await database.clock.reset()
})

test('a run that is first in a strict order stays first in the other version, while it waits for its next try', async () => {
  const { old, young } = await twoVersions('orderly', chain('a'), chain('a', 'b'))
  const order = { kind: 'concurrency', capacity: 1, key: [['account']], fifo: 'block' }
  await defineLimit(database, 'orderly', order, [{ slug: 'orderly', step: 'a' }])
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    ids.push((await startRun(database, 'orderly', { account: 1 }, { version: 1 })).run_id)
    await database.clock.advance('1 second')
  }
  const held = await claim(database, old, 10)
  await fail(database, old, [{ task: held[0]!, delayMs: 10_000 }])
  await database.query('select millrace.pause_worker($1)', [old.id])
  const worker = await young()
  expect((await migrate('orderly', 1)).map(({ moved }) => moved)).toEqual([true, true, true])
  await database.clock.advance('3 seconds')
  await sweep(database)
  expect(await claim(database, worker, 10)).toEqual([])
  await database.clock.advance('8 seconds')
  await heartbeat(database, worker)
  const begun = new Set<string>()
  for (let n = 0; n < 12; n++) {
    const tasks = await claim(database, worker, 10)
    for (const { run_id } of tasks) begun.add(run_id)
    await complete(
      database,
      worker,
      tasks.map((task) => ({ task })),
    )
  }
  expect([...begun]).toEqual(ids)
})

test('a parked run goes along with what it waits for: the signal wakes it in the other version', async () => {
  const { old, young } = await twoVersions('parking', chain('a'), [
    ...chain('a', 'b'),
    { name: 'fresh', after: [] },
  ])
  const { run_id } = await startRun(database, 'parking', null, { version: 1 })
  const task = await claimOne(database, old)
  const waits = [{ name: 'paid', place: 0, kind: 'signal', signals: ['paid'] }]
  await database.query('select * from millrace.park_tasks($1, $2, $3, $4, $5, $6)', [
    old.id,
    old.lockKey,
    [task.task_id],
    [task.step_id],
    [task.attempt],
    [JSON.stringify(waits)],
  ])
  expect(await runOf(database, run_id)).toMatchObject({ state: 'waiting' })
  expect(await migrate('parking', 1)).toMatchObject([{ moved: true }])
  // The new step is ready: so the run no longer only waits.
  expect(await runOf(database, run_id)).toMatchObject({ state: 'running', version: 2 })
  const worker = await young()
  await workOff(database, worker)
  expect(await outcomesOf(database, run_id)).toEqual(['a parked', 'fresh completed'])
  expect(
    await database.query("select woke, kept from millrace.send_signal('paid', '1', $1)", [run_id]),
  ).toEqual([{ woke: 1, kept: false }])
  await workOff(database, worker)
  expect(await runOf(database, run_id)).toMatchObject({
    state: 'completed',
    output: { b: 'b', fresh: 'fresh' },
  })
})

test('a signal that finds a wait whose run is moved then locks its task first, as who cancels the run does', async () => {
  const { old } = await twoVersions('crossing', chain('a'), chain('a', 'b'))
  const waiting: string[] = []
  for (let n = 0; n < 2; n++) {
    const { run_id } = await startRun(database, 'crossing', null, { version: 1 })
    const task = await claimOne(database, old)
    await park(database, old, [{ task, waits: [{ name: 'news', kind: 'signal', signals: ['crossing'] }] }])
    waiting.push(run_id)
  }
  const [first, second] = waiting
  const connections = await Promise.all(Array.from({ length: 3 }, () => connect(database)))
  const [ender, sender, canceller] = connections
  // The signal finds both, and waits for the first one, which ends; meanwhile the second one is moved, and then somebody else has its task.
  await ender!.query('begin')
  await ender!.query('select millrace.cancel_run($1)', [first])
  const sending = sender!.query("select woke, kept from millrace.send_signal('crossing')")
  await untilBlocked(database)
  expect(await migrate('crossing', 1, null, { runs: [second!] })).toMatchObject([{ moved: true }])
  await canceller!.query('begin')
  await canceller!.query('select millrace.pause_run($1)', [second])
  await ender!.query('commit')
  const [{ pid }] = (await canceller!.query<{ pid: number }>('select pg_backend_pid() as pid')) as [
    { pid: number },
  ]
  await until('the signal waits for the second task', async () => {
    const rows = await database.query('select from pg_stat_activity where $1 = any (pg_blocking_pids(pid))', [
      pid,
    ])
    return rows.length === 1
  })
  await canceller!.query('select millrace.cancel_run($1)', [second])
  await canceller!.query('commit')
  expect(await sending).toEqual([{ woke: 0, kept: true }])
  await Promise.all(connections.map((connection) => connection.end()))
})

test('a map that holds items back keeps them, and a map that could not go over what is there keeps its run', async () => {
  const held: StepSpec[] = [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'], ...{ concurrency: 1 } },
  ]
  const { old, young } = await twoVersions('held', held, [...held, { name: 'last', after: ['each'] }])
  const { run_id } = await startRun(database, 'held', null, { version: 1 })
  const [item] = await complete(database, old, [{ task: await claimOne(database, old), output: [1, 2, 3] }], {
    room: 1,
  })
  if (item !== undefined) await release(database, old, [{ ...item, run_id }])
  expect(await migrate('held', 1)).toMatchObject([{ moved: true }])
  await workOff(database, await young(), (step, task) => (task.item >= 0 ? task.item_value : step))
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'last' })
  expect((await outcomesOf(database, run_id)).filter((text) => /^each.* completed$/.test(text))).toHaveLength(
    3,
  )

  const other = await twoVersions('unlisted', chain('a', 'b'), [
    ...chain('a', 'b'),
    { name: 'each', kind: 'map', over: 'a', after: ['a'] },
  ])
  const stays = await startRun(database, 'unlisted', null, { version: 1 })
  const task = await claimOne(database, other.old)
  const next = await complete(database, other.old, [{ task, output: 'no list' }])
  await release(
    database,
    other.old,
    next.map((answer) => ({ ...task, ...answer, run_id: stays.run_id, item: -1 })),
  )
  expect(await migrate('unlisted', 1)).toEqual([
    {
      run_id: stays.run_id,
      moved: false,
      reason: "'each' maps over 'a', whose output is no list but string",
    },
  ])
})

test('only runs of the version that the filter lets through are looked at, page by page', async () => {
  await twoVersions('chosen', chain('a'), chain('a', 'b'))
  // Pages go by the ids, which follow the clock by the millisecond: so each run gets one of its own.
  let madeAt = Date.now()
  const start = async (state: string, tenant: string) =>
    (await startRun(database, 'chosen', { state, n: 1 }, { id: newId(madeAt++), version: 1, tenant })).run_id
  const texas = await start('TX', 'acme')
  const ohio = await start('OH', 'acme')
  const other = await start('TX', 'other')
  const already = (await startRun(database, 'chosen')).run_id
  const dry = async (more: Parameters<typeof migrate>[3]) =>
    (await migrate('chosen', 1, 2, { ...more, dry: true })).map(({ run_id }) => run_id)
  expect(await dry({})).toEqual([texas, ohio, other])
  expect(await dry({ matching: { state: 'TX' } })).toEqual([texas, other])
  expect(await dry({ tenant: 'acme' })).toEqual([texas, ohio])
  expect(await dry({ runs: [ohio, already, newId()] })).toEqual([ohio])
  expect(await dry({ most: 1, after: texas })).toEqual([ohio])
  await expect(migrate('chosen', 1, 3)).rejects.toMatchObject({ code: 'MR002' })
  await expect(migrate('nobody', 1)).rejects.toMatchObject({ code: 'MR002' })
  await expect(migrate('chosen', 2)).rejects.toMatchObject({ code: 'MR014' })
  await expect(migrate('chosen', 1, 2, { most: 0 })).rejects.toMatchObject({ code: 'MR014' })
})

test('a step that is finished while its run is being moved, and a run that is cancelled then, are seen as they are by then', async () => {
  const { old } = await twoVersions('racing', chain('a', 'b'), chain('a', 'b', 'c'))
  const first = await startRun(database, 'racing', null, { version: 1 })
  const second = await startRun(database, 'racing', null, { version: 1 })
  const [task] = await claim(database, old, 1)
  const one = await connect(database)
  await one.query('begin')
  if (task !== undefined) await complete(one, old, [{ task }], { room: 1 })
  await one.query('select millrace.cancel_run($1)', [second.run_id])
  const moving = migrate('racing', 1)
  await untilBlocked(database)
  await one.query('commit')
  expect(await moving).toEqual([{ run_id: first.run_id, moved: false, reason: "'b' runs at present" }])
  expect(await runOf(database, second.run_id)).toMatchObject({ state: 'cancelled', version: 1 })
  await one.end()
  await database.query('select millrace.cancel_run($1)', [first.run_id])
  await database.query('select millrace.stop_worker($1, $2)', [old.id, old.lockKey])
})

test('a claim and a move of the same task meet: one of them has it, never both', async () => {
  const { old, young } = await twoVersions('meeting', chain('a'), chain('a', 'b'))
  const worker = await young()
  await startRuns(
    database,
    Array.from({ length: 200 }, () => ({ id: newId(), slug: 'meeting' })),
  )
  await database.query("select millrace.activate_pipeline('meeting', 1)")
  const ids = Array.from({ length: 200 }, () => newId())
  await startRuns(
    database,
    ids.map((id) => ({ id, slug: 'meeting' })),
  )
  const connections = await Promise.all(Array.from({ length: 4 }, () => connect(database)))
  const [mover, ...claimers] = connections
  const claims = claimers.map(async (sql) => {
    const tasks = []
    for (let n = 0; n < 20; n++) tasks.push(...(await claim(sql, old, 3)))
    return tasks
  })
  const moved: string[] = []
  for (let n = 0; n < 10; n++) {
    const rows = await mover!.query<{ run_id: string; moved: boolean }>(
      "select * from millrace.migrate_runs('meeting', 1, 2, most => 40)",
    )
    moved.push(...rows.filter((row) => row.moved).map(({ run_id }) => run_id))
  }
  const claimed = (await Promise.all(claims)).flat()
  expect(claimed.filter(({ run_id }) => moved.includes(run_id))).toEqual([])
  await complete(
    database,
    old,
    claimed.map((task) => ({ task })),
  )
  await workOff(database, old)
  await workOff(database, worker)
  const [row] = await database.query<{ open: number }>(
    "select count(*)::int as open from millrace.run where slug = 'meeting' and state <> 'completed'",
  )
  expect(row?.open).toBe(0)
  await Promise.all(connections.map((connection) => connection.end()))
})

test('random graphs, moved at a random moment to a random change of them: whatever moved comes to its end, whole', async () => {
  let pipelines = 0
  let moved = 0
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat()), async (numbers) => {
      const roll = (below: number): number => (numbers.next().value as number) % below
      const slug = `random-${pipelines++}`
      const before = randomGraph(roll)
      const { old, young } = await twoVersions(slug, before, changedGraph(before, roll))
      const ids = Array.from({ length: 5 }, () => newId())
      await database.query('select millrace.activate_pipeline($1, 1)', [slug])
      await startRuns(
        database,
        ids.map((id) => ({ id, slug })),
      )
      for (let n = roll(8); n > 0; n--) {
        const tasks = await claim(database, old, 1 + roll(4))
        const held = await complete(
          database,
          old,
          tasks.map((task) =>
            roll(5) === 0
              ? { task, skipReason: 'no' }
              : { task, output: Array.from({ length: roll(4) }, (_, i) => i) },
          ),
        )
        const runs = new Map(tasks.map(({ task_id, run_id }) => [task_id, run_id]))
        await release(
          database,
          old,
          held
            .filter(({ kind }) => kind === 'next')
            .map((task) => ({
              ...task,
              run_id: task.run_id ?? runs.get(task.task_id) ?? '',
              item: task.item ?? -1,
            })),
        )
      }
      moved += (await migrate(slug, 1, 2)).filter((run) => run.moved).length
      const worker = await young()
      const output = () => [1, 2]
      for (let n = 0; n < 2; n++) {
        await workOff(database, old, output)
        await workOff(database, worker, output)
      }
      const rows = await database.query<{ state: string }>(
        'select state from millrace.run where id = any ($1)',
        [ids],
      )
      expect(rows.map(({ state }) => state)).toEqual(ids.map(() => 'completed'))
    }),
    { numRuns: 40 },
  )
  expect(moved).toBeGreaterThan(20)
})

type Roll = (below: number) => number

function randomGraph(roll: Roll): StepSpec[] {
  const names = Array.from({ length: 1 + roll(6) }, (_, n) => `s${n}`)
  return names.map((name, n) => randomStep(name, names.slice(0, n), roll))
}

function randomStep(name: string, before: string[], roll: Roll): StepSpec {
  const after = before.filter(() => roll(2) === 0)
  const over = after[0]
  const queue = roll(4) === 0 ? 'second' : 'default'
  return over !== undefined && roll(3) === 0
    ? { name, after, queue, kind: 'map', over }
    : { name, after, queue }
}

/** Some of its last steps gone, some new ones after whatever is there, and now and then a step that comes after others. */
function changedGraph(before: StepSpec[], roll: Roll): StepSpec[] {
  const kept = before.slice(0, Math.max(1, before.length - roll(3)))
  const changed = kept.map((step, n) =>
    roll(8) === 0
      ? randomStep(
          step.name,
          kept.slice(0, n).map(({ name }) => name),
          roll,
        )
      : step,
  )
  const names = changed.map(({ name }) => name)
  const fresh = Array.from({ length: 1 + roll(2) }, (_, n) => randomStep(`new${n}`, names, roll))
  return [...changed, ...fresh]
}
