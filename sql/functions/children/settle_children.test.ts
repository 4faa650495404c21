// Called runs: what their caller is told, once, whoever ends at the same time; and what becomes of them when it ends first.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  type ClaimedTask,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  fail,
  newId,
  promote,
  registerPipeline,
  runOf,
  startRun,
  sweep,
  type Task,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'
import { checkpointsOf, park, stateOf, type Wait, waitsOf } from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()

interface Family {
  parent: ClaimedTask
  parents: Worker
  /** The worker of the pipeline that is called. */
  children: Worker
  slug: string
}

/** A run of a pipeline, whose task is held, and a pipeline that it may call. */
async function begin(slug: string, key: string[][] = []): Promise<Family> {
  const parents = await workerOf(database, slug, chain('only'))
  await registerPipeline(database, `${slug}-child`, chain('work'), key)
  const children = await workerFor(database, `${slug}-child`, { slots: 20_000 })
  await database.query('select millrace.start_run($1, headers => $2, tenant => $3, priority => 3)', [
    slug,
    JSON.stringify({ trace: 't' }),
    'acme',
  ])
  return { parent: await claimOne(database, parents), parents, children, slug }
}

const call = (name: string, slug: string, more: Record<string, unknown> = {}): Wait => ({
  name,
  kind: 'call',
  start: { id: newId(), slug: `${slug}-child`, input: name, ...more },
})

const callMany = (name: string, slug: string, count: number): Wait => ({
  name,
  kind: 'call',
  children: Array.from({ length: count }, (_, n) => ({ id: newId(), slug: `${slug}-child`, input: n })),
})

const isReady = async ({ parents }: Family): Promise<number> => {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from millrace.task where handler = any ($1) and worker_id is null',
    [parents.handlers],
  )
  return row?.n ?? 0
}

test('a called run gets tenant, priority and headers, and its output wakes the step that called it', async () => {
  const family = await begin('plain')
  const { parent, parents, children, slug } = family
  expect(
    await park(database, parents, [{ task: parent, waits: [call('ask', slug, { headers: { more: 'm' } })] }]),
  ).toMatchObject([{ kind: 'parked' }])
  const task = await claimOne(database, children)
  expect(
    await database.query(
      'select tenant, priority, headers, started_via, parent_run_id, parent_step, parent_call, detached from millrace.run where id = $1',
      [task.run_id],
    ),
  ).toEqual([
    {
      tenant: 'acme',
      priority: 3,
      headers: { trace: 't', more: 'm' },
      started_via: 'call',
      parent_run_id: parent.run_id,
      parent_step: 'only',
      parent_call: 'ask',
      detached: false,
    },
  ])
  expect(task.input).toBe('ask')
  await complete(database, children, [{ task, output: { answer: 42 } }])
  expect(await checkpointsOf(database, parent.run_id, 'only')).toEqual({
    ask: { run: task.run_id, state: 'completed', output: { answer: 42 } },
  })
  expect(await isReady(family)).toBe(1)
  await complete(database, parents, [{ task: await claimOne(database, parents) }])
})

test('a called run that fails or is cancelled wakes its caller with what happened', async () => {
  const family = await begin('ends-badly')
  const { parent, parents, children, slug } = family
  await park(database, parents, [{ task: parent, waits: [call('fails', slug), call('ends', slug)] }])
  const [first, second] = (await claim(database, children, 5)) as [ClaimedTask, ClaimedTask]
  await fail(database, children, [
    { task: first, error: { code: 'broken', message: 'It broke.', retryable: false, stack: 'at x' } },
  ])
  expect(await isReady(family)).toBe(1)
  await cancelRun(database, second.run_id)
  expect(await isReady(family)).toBe(1)
  const stored = await checkpointsOf(database, parent.run_id, 'only')
  expect(Object.values(stored)).toEqual(
    expect.arrayContaining([
      { run: first.run_id, state: 'failed', error: expect.objectContaining({ code: 'broken' }) },
      { run: second.run_id, state: 'cancelled', error: null },
    ]),
  )
  expect(JSON.stringify(stored)).not.toContain('at x')
  await cancelRun(database, parent.run_id)
})

test('a detached call and a call of no run have their result at once', async () => {
  const family = await begin('at-once')
  const { parent, parents, slug } = family
  const away = call('away', slug)
  const startedId = (away['start'] as { readonly id: string }).id
  const waits = [{ ...away, detached: true }, callMany('none', slug, 0)]
  expect(await park(database, parents, [{ task: parent, waits }])).toMatchObject([{ kind: 'ready' }])
  expect(await checkpointsOf(database, parent.run_id, 'only')).toEqual({
    away: { run: startedId },
    none: { runs: [] },
  })
  await cancelRun(database, parent.run_id)
  // It goes on without its caller.
  const [child] = await claim(database, family.children, 5)
  await complete(database, family.children, [{ task: child as Task, output: 1 }])
  expect(await stateOf(database, (child as Task).run_id)).toBe('completed')
})

test('E11 of 10,000 called runs the last two end at once: their caller wakes exactly once', async () => {
  const family = await begin('ten-thousand')
  const { parent, parents, children, slug } = family
  await park(database, parents, [{ task: parent, waits: [callMany('all', slug, 10_000)] }])
  for (let left = 9_998; left > 0; ) {
    const tasks = await claim(database, children, Math.min(1_000, left))
    await complete(
      database,
      children,
      tasks.map((task) => ({ task, output: task.input })),
    )
    left -= tasks.length
  }
  expect(await isReady(family)).toBe(0)
  const [first, second] = (await claim(database, children, 5)) as [ClaimedTask, ClaimedTask]
  await one.query('begin')
  await complete(one, children, [{ task: first, output: first.input }])
  const ending = complete(other, children, [{ task: second, output: second.input }])
  await untilBlocked(database)
  await one.query('commit')
  await ending
  expect(await isReady(family)).toBe(1)
  expect(
    await database.query('select count(*)::int as n from millrace.attempt where run_id = $1', [
      parent.run_id,
    ]),
  ).toEqual([{ n: 1 }])
  const { all } = (await checkpointsOf(database, parent.run_id, 'only')) as { all: { runs: string[] } }
  expect(new Set(all.runs).size).toBe(10_000)
  const outcomes = await database.query<{ run_id: string; output: number; state: string }>(
    'select * from millrace.read_children($1, $2, $3, $4)',
    [parent.run_id, 'only', -1, 'all'],
  )
  expect(outcomes.map(({ output }) => output)).toEqual(Array.from({ length: 10_000 }, (_, n) => n))
  expect(outcomes.map(({ run_id }) => run_id)).toEqual(all.runs)
  await complete(database, parents, [{ task: await claimOne(database, parents) }])
})

test('two children of two calls that end while their caller runs again are both stored, and it wakes for each', async () => {
  const family = await begin('while-awake')
  const { parent, parents, children, slug } = family
  const waits = [call('a', slug), call('b', slug), call('c', slug)]
  await park(database, parents, [{ task: parent, waits }])
  const [a, b, c] = (await claim(database, children, 5)) as [ClaimedTask, ClaimedTask, ClaimedTask]
  await complete(database, children, [{ task: a }])
  // A child that ends keeps its awake caller from being claimed no moment.
  await one.query('begin')
  await complete(one, children, [{ task: b }])
  const again = await claimOne(database, parents)
  const parking = park(other, parents, [{ task: again, waits }])
  await untilBlocked(database)
  await one.query('commit')
  expect(await parking).toMatchObject([{ kind: 'ready' }])
  expect(Object.keys(await checkpointsOf(database, parent.run_id, 'only')).toSorted()).toHaveLength(2)
  const third = await claimOne(database, parents)
  const left = waits.filter(({ name }) => name === (c.input as string))
  expect(await park(database, parents, [{ task: third, waits: left }])).toMatchObject([{ kind: 'parked' }])
  await complete(database, children, [{ task: c }])
  expect(await isReady(family)).toBe(1)
  await cancelRun(database, parent.run_id)
})

test('a child that ends while its caller is being parked again wakes it, whichever commits first', async () => {
  const family = await begin('meets-parking')
  const { parent, parents, children, slug } = family
  const waits = [call('a', slug), { name: 'nap', kind: 'sleep' as const, ms: 0 }]
  expect(await park(database, parents, [{ task: parent, waits }])).toMatchObject([{ kind: 'ready' }])
  const again = await claimOne(database, parents)
  const child = await claimOne(database, children)
  await one.query('begin')
  expect(await park(one, parents, [{ task: again, waits: [waits[0] as Wait] }])).toMatchObject([
    { kind: 'parked' },
  ])
  const ending = complete(other, children, [{ task: child, output: 7 }])
  await untilBlocked(database)
  await one.query('commit')
  await ending
  expect(await isReady(family)).toBe(1)
  expect(await checkpointsOf(database, parent.run_id, 'only')).toMatchObject({ a: { output: 7 } })
  await complete(database, parents, [{ task: await claimOne(database, parents) }])
})

test('a run that is cancelled cancels what it called, down to the last, and nothing of them wakes', async () => {
  const family = await begin('tree')
  const { parent, parents, children, slug } = family
  await park(database, parents, [{ task: parent, waits: [callMany('all', slug, 3), call('away', slug)] }])
  const [held, deep] = (await claim(database, children, 2)) as [ClaimedTask, ClaimedTask]
  await park(database, children, [{ task: deep, waits: [call('deeper', slug)] }])
  await cancelRun(database, parent.run_id)
  const states = await database.query<{ state: string; n: number }>(
    "select state, count(*)::int as n from millrace.run where slug = 'tree-child' group by state",
  )
  expect(states).toEqual([{ state: 'cancelled', n: 5 }])
  expect(
    await database.query(
      "select detail ->> 'reason' as reason, count(*)::int as n from millrace.event where kind = 'run.cancelled' and run_id <> $1 and detail ->> 'reason' like 'its%' group by 1",
      [parent.run_id],
    ),
  ).toEqual([{ reason: 'its parent was cancelled', n: 5 }])
  expect(await complete(database, children, [{ task: held }])).toEqual([])
  expect(await stateOf(database, held.run_id)).toBe('cancelled')
  expect(await database.query('select * from millrace.cancellation')).toEqual([])
})

test('a run that fails cancels what it called', async () => {
  await registerPipeline(database, 'fails-beside', [
    { name: 'calls', after: [] },
    { name: 'breaks', after: [] },
  ])
  await registerPipeline(database, 'fails-beside-child', chain('work'))
  const worker = await workerFor(database, 'fails-beside')
  const { run_id } = await startRun(database, 'fails-beside')
  const [calls, breaks] = (await claim(database, worker, 2)) as [ClaimedTask, ClaimedTask]
  const wait = call('ask', 'fails-beside')
  await park(database, worker, [{ task: calls, waits: [wait] }])
  await fail(database, worker, [
    { task: breaks, error: { code: 'broken', message: 'It broke.', retryable: false } },
  ])
  expect(await stateOf(database, run_id)).toBe('failed')
  expect(await stateOf(database, (wait['start'] as { id: string }).id)).toBe('cancelled')
  expect(await waitsOf(database, run_id)).toEqual([])
})

test('a cancel of the caller does not wait for a child that is ending, nor end it twice', async () => {
  const family = await begin('cancel-meets-end')
  const { parent, parents, children, slug } = family
  await park(database, parents, [{ task: parent, waits: [callMany('all', slug, 2)] }])
  const [first, second] = (await claim(database, children, 2)) as [ClaimedTask, ClaimedTask]
  // The child has ended, uncommitted, and waits for its caller, which is being cancelled.
  await one.query('begin')
  await one.query('select 1 from millrace.waiting_task where run_id = $1 for update', [parent.run_id])
  const ending = complete(other, children, [{ task: first, output: 1 }])
  await untilBlocked(database)
  expect(await one.query('select millrace.cancel_run($1) as done', [parent.run_id])).toEqual([{ done: true }])
  await one.query('commit')
  await ending
  expect(await stateOf(database, parent.run_id)).toBe('cancelled')
  expect(await stateOf(database, first.run_id)).toBe('completed')
  expect(await stateOf(database, second.run_id)).toBe('cancelled')
  expect(await database.query('select run_id from millrace.cancellation')).toEqual([{ run_id: first.run_id }])
  await sweep(database)
  expect(await database.query('select run_id from millrace.cancellation')).toEqual([])
  expect(await isReady(family)).toBe(0)
})

test('what a cancel had to leave is cancelled by the next sweep', async () => {
  const family = await begin('left')
  const { parent, parents, children, slug } = family
  await park(database, parents, [{ task: parent, waits: [call('ask', slug)] }])
  const child = await claimOne(database, children)
  await one.query('begin')
  await one.query('select 1 from millrace.task where id = $1 for update', [child.task_id])
  await cancelRun(database, parent.run_id)
  expect(await stateOf(database, child.run_id)).toBe('running')
  await one.query('rollback')
  await sweep(database)
  expect(await stateOf(database, child.run_id)).toBe('cancelled')
})

test('a call that may not start refuses the parking, and nothing of it stays', async () => {
  const family = await begin('refused', [['n']])
  const { parent, parents, slug } = family
  const keyed = (n: number): Wait => ({
    name: 'ask',
    kind: 'call',
    start: { id: newId(), slug: `${slug}-child`, input: { n } },
  })
  await startRun(database, `${slug}-child`, { n: 1 }, { tenant: 'acme' })
  await expect(park(database, parents, [{ task: parent, waits: [keyed(1)] }])).rejects.toMatchObject({
    code: 'MR016',
    message: expect.stringContaining('its run key is that of live run'),
  })
  await database.query('select millrace.pause_pipeline($1, $2)', [`${slug}-child`, 'maintenance'])
  await expect(park(database, parents, [{ task: parent, waits: [keyed(2)] }])).rejects.toMatchObject({
    code: 'MR016',
    message: expect.stringContaining('the pipeline is paused'),
  })
  await expect(
    park(database, parents, [
      { task: parent, waits: [{ ...keyed(3), start: { id: newId(), slug: 'nobody' } }] },
    ]),
  ).rejects.toMatchObject({ code: 'MR002' })
  expect(await waitsOf(database, parent.run_id)).toEqual([])
  expect((await runOf(database, parent.run_id)).state).toBe('running')
  await complete(database, parents, [{ task: parent }])
})

test('a call with a timeout goes on without its run, which ends by itself', async () => {
  const family = await begin('too-slow')
  const { parent, parents, children, slug } = family
  await park(database, parents, [{ task: parent, waits: [{ ...call('ask', slug), ms: 1_000 }] }])
  const child = await claimOne(database, children)
  await database.clock.advance(1_001)
  await promote(database)
  expect(await checkpointsOf(database, parent.run_id, 'only')).toEqual({ ask: { timedOut: true } })
  await complete(database, children, [{ task: child }])
  expect(await stateOf(database, child.run_id)).toBe('completed')
  await complete(database, parents, [{ task: await claimOne(database, parents) }])
})
