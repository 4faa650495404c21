// Limits: never exceeded whatever meets, nobody is left behind, and what is stopped costs the others nothing.
import { afterEach, expect, test } from 'vitest'
import { seededDraws } from '../../../test/millrace.ts'
import { defineLimit, limitsOf, miscounted, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  type ClaimedTask,
  complete,
  completeAll,
  connect,
  fail,
  pauseRun,
  promote,
  release,
  resumeRun,
  runsOf,
  type Sql,
  startInputs,
  sweep,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

const concurrency = (capacity: number, key: string[][] = []) => ({ kind: 'concurrency', capacity, key })

const start = (slug: string, inputs: unknown[], priority?: number) =>
  startInputs(database, slug, inputs, priority)

test('a key whose id another state has already is counted by itself, and never exceeded', async () => {
  const worker = await workerOf(database, 'twins', chain('only'))
  await defineLimit(database, 'twins', concurrency(2, [['k']]), 'twins')
  await database.query(
    `insert into millrace.limit_state (id, rule_id, key, changed_at)
     select millrace.limit_state_id(id, 'a'), id, 'first', now() from millrace.limit_rule where name = 'twins'`,
  )
  const runs = await start('twins', [{ k: 'a' }, { k: 'first' }, { k: 'a' }, { k: 'a' }, { k: 'b' }])
  const begun = await claim(database, worker, 10)
  expect(runsOf(begun)).toEqual([runs[0], runs[1], runs[2], runs[4]])
  expect(await limitsOf(database, 'twins')).toMatchObject([
    { key: 'a', used: 2, waiting: 1 },
    { key: 'b', used: 1 },
    { key: 'first', used: 1 },
  ])
  await completeAll(database, worker, begun)
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[3]])
})

test('one claim takes tasks of every priority, where all have room', async () => {
  const worker = await workerOf(database, 'urgent', chain('only'))
  await defineLimit(database, 'urgent', concurrency(5), 'urgent')
  const late = await start('urgent', [1, 2], 7)
  const first = await start('urgent', [3, 4], 3)
  expect(runsOf(await claim(database, worker, 10))).toEqual([...first, ...late])
})

test('a rate whose units are read from the input is used up as exactly where all fit', async () => {
  const worker = await workerOf(database, 'units', chain('only'))
  const settings = { kind: 'rate', units: 1, per_ms: 1_000, burst: 10, units_path: ['n'] }
  await defineLimit(database, 'units', settings, 'units')
  await start('units', [{ n: 3 }, { n: 4 }])
  expect(await claim(database, worker, 10)).toHaveLength(2)
  await start('units', [{ n: 3 }, { n: 4 }])
  expect(await claim(database, worker, 10)).toHaveLength(1)
})

test('no more begin than there is room for, and each that ends lets the next one in, first come, first served', async () => {
  const worker = await workerOf(database, 'narrow', chain('only'))
  await defineLimit(database, 'narrow', concurrency(2), 'narrow')
  const runs = await start('narrow', [1, 2, 3, 4, 5])
  const first = await claim(database, worker, 10)
  expect(runsOf(first)).toEqual(runs.slice(0, 2))
  expect(await limitsOf(database, 'narrow')).toEqual([{ key: '', used: 2, waiting: 3 }])
  expect(await claim(database, worker, 10)).toEqual([])
  await completeAll(database, worker, first.slice(0, 1))
  const second = await claim(database, worker, 10)
  expect(runsOf(second)).toEqual([runs[2]])
  await completeAll(database, worker, [...first.slice(1), ...second])
  const third = await claim(database, worker, 10)
  expect(runsOf(third)).toEqual(runs.slice(3))
  await completeAll(database, worker, third)
  expect(await limitsOf(database, 'narrow')).toEqual([{ key: '', used: 0, waiting: 0 }])
})

test('a key of the input, of the tenant or of an item counts for itself', async () => {
  const worker = await workerOf(database, 'keyed', chain('only'))
  await defineLimit(database, 'keyed', concurrency(1, [['region'], ['$tenant']]), 'keyed')
  const runs = await start('keyed', [{ region: 'a' }, { region: 'a' }, { region: 'b' }, {}, { region: null }])
  const first = await claim(database, worker, 10)
  expect(runsOf(first)).toEqual([runs[0], runs[2], runs[3]])
  expect(await limitsOf(database, 'keyed')).toEqual([
    { key: '["a", null]', used: 1, waiting: 1 },
    { key: '["b", null]', used: 1, waiting: 0 },
    { key: '[null, null]', used: 1, waiting: 1 },
  ])
  await completeAll(database, worker, first)
  await completeAll(database, worker, await claim(database, worker, 10))
})

test('who is called goes before who comes new, and the more urgent is called first', async () => {
  const worker = await workerOf(database, 'called', chain('only'))
  await defineLimit(database, 'called', concurrency(1), 'called')
  const [held] = await start('called', [1])
  const first = await claim(database, worker, 1)
  expect(runsOf(first)).toEqual([held])
  const [late] = await start('called', [2], 5)
  await claim(database, worker, 1)
  const [urgent] = await start('called', [3], 1)
  await claim(database, worker, 1)
  const [newcomer] = await start('called', [4], 1)
  await completeAll(database, worker, first)
  for (const expected of [urgent, newcomer, late]) {
    const next = await claim(database, worker, 1)
    expect(runsOf(next)).toEqual([expected])
    await completeAll(database, worker, next)
  }
})

test('a task takes nothing of one rule while another one stops it', async () => {
  const worker = await workerOf(database, 'both', chain('only'))
  await defineLimit(database, 'wide', concurrency(5), 'both')
  await defineLimit(database, 'by-account', concurrency(1, [['account']]), 'both')
  const runs = await start('both', [{ account: 1 }, { account: 1 }, { account: 1 }, { account: 2 }])
  const first = await claim(database, worker, 10)
  expect(runsOf(first)).toEqual([runs[0], runs[3]])
  expect(await limitsOf(database, 'wide')).toEqual([{ key: '', used: 2, waiting: 0 }])
  await completeAll(database, worker, first)
  for (const run of [runs[1], runs[2]]) {
    const next = await claim(database, worker, 10)
    expect(runsOf(next)).toEqual([run])
    await completeAll(database, worker, next)
  }
})

test('a step that comes next in a chain is judged as every other one', async () => {
  const worker = await workerOf(database, 'chained', chain('free', 'narrow'))
  await defineLimit(database, 'second', concurrency(1), [{ slug: 'chained', step: 'narrow' }])
  await start('chained', [1, 2, 3])
  const first = await claim(database, worker, 10)
  expect(first).toHaveLength(3)
  expect((await completeAll(database, worker, first)).filter(({ kind }) => kind === 'next')).toEqual([])
  for (let n = 0; n < 3; n++) {
    const next = await claim(database, worker, 10)
    expect(next).toHaveLength(1)
    await completeAll(database, worker, next)
  }
})

test('what fails, is given back or loses its worker gives back what it held', async () => {
  const worker = await workerOf(database, 'giving', chain('only'), { leaseSeconds: 10 })
  const next = await workerFor(database, 'giving')
  await defineLimit(database, 'giving', concurrency(1), 'giving')
  const runs = await start('giving', [1, 2, 3, 4])
  const [failing] = await claim(database, worker, 10)
  await fail(database, worker, [{ task: failing!, delayMs: 3_600_000 }])
  const [released] = await claim(database, worker, 10)
  expect(released?.run_id).toBe(runs[1])
  await release(database, worker, [released!])
  const lost = await claim(database, worker, 10)
  expect(lost).toHaveLength(1)
  await database.clock.advance('15s')
  expect(await sweep(database)).toBe(1)
  const seen: string[] = []
  for (;;) {
    const tasks = await claim(database, next, 10)
    if (tasks.length === 0) break
    expect(tasks).toHaveLength(1)
    seen.push(...runsOf(tasks))
    await completeAll(database, next, tasks)
  }
  expect(seen.toSorted()).toEqual(runs.slice(1).toSorted())
  await database.clock.advance('2h')
  await promote(database)
  await completeAll(database, next, await claim(database, next, 10))
})

test('a rule that comes while tasks are held counts them, and one that goes lets all go on', async () => {
  const worker = await workerOf(database, 'changing', chain('only'))
  const runs = await start('changing', [1, 2, 3, 4, 5, 6])
  const held = await claim(database, worker, 3)
  expect(await defineLimit(database, 'changing', concurrency(4), 'changing')).toBe(1)
  expect(await limitsOf(database, 'changing')).toEqual([{ key: '', used: 3, waiting: 0 }])
  const more = await claim(database, worker, 10)
  expect(runsOf(more)).toEqual([runs[3]])
  expect(await defineLimit(database, 'changing', concurrency(5), 'changing')).toBe(2)
  const fifth = await claim(database, worker, 10)
  expect(runsOf(fifth)).toEqual([runs[4]])
  await expect(defineLimit(database, 'changing', concurrency(9), 'changing', 1)).rejects.toMatchObject({
    code: 'MR030',
  })
  await database.query("select millrace.remove_limit('changing')")
  const last = await claim(database, worker, 10)
  expect(runsOf(last)).toEqual([runs[5]])
  await completeAll(database, worker, [...held, ...more, ...fifth, ...last])
})

test("a run that is paused or cancelled while it waits stands in nobody's way", async () => {
  const worker = await workerOf(database, 'leaving', chain('only'))
  await defineLimit(database, 'leaving', concurrency(1), 'leaving')
  const runs = await start('leaving', [1, 2, 3, 4])
  const first = await claim(database, worker, 10)
  await pauseRun(database, runs[1]!)
  await cancelRun(database, runs[2]!)
  await completeAll(database, worker, first)
  const next = await claim(database, worker, 10)
  expect(runsOf(next)).toEqual([runs[3]])
  await resumeRun(database, runs[1]!)
  await completeAll(database, worker, next)
  const resumed = await claim(database, worker, 10)
  expect(runsOf(resumed)).toEqual([runs[1]])
  await completeAll(database, worker, resumed)
})

test('a thousand that are stopped are judged once, and stand before nobody', async () => {
  const worker = await workerOf(database, 'flood', chain('only'))
  await defineLimit(database, 'flood', concurrency(1, [['account']]), 'flood')
  await start(
    'flood',
    Array.from({ length: 3_000 }, () => ({ account: 'big' })),
  )
  const [small] = await start('flood', [{ account: 'small' }])
  const held: ClaimedTask[] = []
  for (let n = 0; n < 5; n++) held.push(...(await claim(database, worker, 10)))
  expect(held.map(({ run_id }) => run_id)).toContain(small)
  expect(held).toHaveLength(2)
  expect(
    await database.query(
      "select count(*)::int as count from millrace.task t join millrace.handler h on h.id = t.handler where h.slug = 'flood'",
    ),
  ).toEqual([{ count: 2 }])
  // Who ends calls the next one without reading those behind it, though the planner has no statistics of them.
  await one.query('begin')
  await complete(
    one,
    worker,
    held.map((task) => ({ task })),
  )
  const [read] = await one.query<{ rows: string }>(
    `select coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0) as rows
       from pg_stat_xact_user_tables where schemaname = 'millrace' and relname = 'waiting_task'`,
  )
  await one.query('rollback')
  expect(Number(read!.rows)).toBeLessThan(100)
})

test('a rate gives each its time, and lets a burst begin at once', async () => {
  const worker = await workerOf(database, 'paced', chain('only'))
  await defineLimit(database, 'paced', { kind: 'rate', units: 60, per_ms: 60_000, burst: 3 }, 'paced')
  const runs = await start(
    'paced',
    Array.from({ length: 8 }, (_, n) => n),
  )
  const first = await claim(database, worker, 10)
  expect(runsOf(first)).toEqual(runs.slice(0, 3))
  await promote(database)
  expect(await claim(database, worker, 10)).toEqual([])
  for (let n = 3; n < 8; n++) {
    await database.clock.advance('1s')
    await promote(database)
    const next = await claim(database, worker, 10)
    expect(runsOf(next)).toEqual([runs[n]])
  }
})

test('a task may take more than one unit of a rate', async () => {
  const worker = await workerOf(database, 'weighed', chain('only'))
  await defineLimit(
    database,
    'weighed',
    { kind: 'rate', units: 10, per_ms: 10_000, burst: 10, units_path: ['size'] },
    'weighed',
  )
  const runs = await start('weighed', [{ size: 7 }, { size: 5 }, {}, { size: 1_000_000 }])
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[0]])
  await database.clock.advance('2s')
  await promote(database)
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[1]])
  await database.clock.advance('1s')
  await promote(database)
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[2]])
})

test('however many wait for a slow rate, no claim fails for the time of the last', async () => {
  const worker = await workerOf(database, 'slow', chain('only'))
  await defineLimit(database, 'slow', { kind: 'rate', units: 1, per_ms: 31_536_000_000 }, 'slow')
  await start('slow', [1, 2])
  expect(await claim(database, worker, 10)).toHaveLength(1)
  await database.query(
    "update millrace.limit_state s set full_until = '294200-01-01' from millrace.limit_rule k where k.id = s.rule_id and k.name = 'slow'",
  )
  await start(
    'slow',
    Array.from({ length: 200 }, (_, n) => n),
  )
  expect(await claim(database, worker, 300)).toEqual([])
  await expect(
    defineLimit(database, 'endless', { kind: 'rate', units: 1, per_ms: 31_536_000_000, burst: 2 }, 'slow'),
  ).rejects.toMatchObject({ code: 'MR060' })
  await expect(
    defineLimit(database, 'timeless', { kind: 'rate', units: 1_000_000, per_ms: 1 }, 'slow'),
  ).rejects.toMatchObject({ code: 'MR060' })
})

test('what a key counted is forgotten an hour after its last task, and never while a claim is about to count on it', async () => {
  const worker = await workerOf(database, 'pruned', chain('only'))
  await defineLimit(database, 'pruned', sharedKey(1), 'pruned')
  await start('pruned', [1, 2])
  const held = await claim(database, worker, 10)
  await database.clock.advance('2h')
  const prune = (sql: Sql) => sql.query('select millrace.prune_history()')
  await prune(database)
  expect(await limitsOf(database, 'pruned')).toEqual([{ key: 'null', used: 1, waiting: 1 }])
  await completeAll(database, worker, held)
  await completeAll(database, worker, await claim(database, worker, 10))
  await database.clock.advance('59m')
  await prune(database)
  expect(await limitsOf(database, 'pruned')).toEqual([{ key: 'null', used: 0, waiting: 0 }])
  await database.clock.advance('2m')
  await start('pruned', [3, 4])
  await one.query('begin')
  await prune(one)
  const meanwhile = claim(other, worker, 10)
  await untilBlocked(database)
  await one.query('commit')
  const first = [...(await meanwhile), ...(await claim(database, worker, 10))]
  expect(first).toHaveLength(1)
  expect(await limitsOf(database, 'pruned')).toEqual([{ key: 'null', used: 1, waiting: 1 }])
  await completeAll(database, worker, first)
  await completeAll(database, worker, await claim(database, worker, 10))
})

test("two claims that meet on one key take turns, and together they don't exceed it", async () => {
  const worker = await workerOf(database, 'met', chain('only'))
  const second = await workerFor(database, 'met')
  await defineLimit(database, 'met', concurrency(3), 'met')
  await start(
    'met',
    Array.from({ length: 10 }, (_, n) => n),
  )
  await one.query('begin')
  expect(await claim(one, worker, 2)).toHaveLength(2)
  const meanwhile = claim(other, second, 10)
  await untilBlocked(database)
  await one.query('commit')
  expect(await meanwhile).toHaveLength(1)
})

test('an end that meets a claim lets one in, whoever comes first', async () => {
  const worker = await workerOf(database, 'ending', chain('only'))
  await defineLimit(database, 'ending', sharedKey(1), 'ending')
  await start('ending', [1, 2])
  const held = await claim(database, worker, 1)
  await one.query('begin')
  await complete(one, worker, [{ task: held[0]! }])
  const meanwhile = claim(other, worker, 10)
  await untilBlocked(database)
  await one.query('commit')
  const next = [...(await meanwhile), ...(await claim(database, worker, 10))]
  expect(next).toHaveLength(1)
})

test('a rule waits for the claims under way, and the next claim sees it', async () => {
  const worker = await workerOf(database, 'meeting', chain('only'))
  await start('meeting', [1, 2, 3])
  await one.query('begin')
  expect(await claim(one, worker, 1)).toHaveLength(1)
  const defined = defineLimit(other, 'meeting', concurrency(1), 'meeting')
  await untilBlocked(database)
  await one.query('commit')
  await defined
  expect(await limitsOf(database, 'meeting')).toEqual([{ key: '', used: 1, waiting: 0 }])
  expect(await claim(database, worker, 10)).toEqual([])
})

test('in a storm of claims, ends, failures and changes no limit is exceeded, and all come to their end', async () => {
  const draw = seededDraws('storm')
  const worker = await workerOf(database, 'storm', chain('first', 'second'))
  const workers = [worker, await workerFor(database, 'storm'), await workerFor(database, 'storm')]
  await defineLimit(database, 'storm-all', concurrency(7), 'storm')
  await defineLimit(database, 'storm-key', concurrency(2, [['key']]), 'storm')
  await defineLimit(database, 'storm-step', concurrency(3), [{ slug: 'storm', step: 'second' }])
  await start(
    'storm',
    Array.from({ length: 300 }, (_, n) => ({ key: n % 11 })),
  )
  let left = 300
  await Promise.all(
    workers.map(async (mine) => {
      const connection = await connect(database)
      while (left > 0) {
        const tasks = await claim(connection, mine, 1 + Math.floor(draw() * 8))
        const failing = tasks.filter(() => draw() < 0.1)
        if (failing.length > 0)
          await fail(
            connection,
            mine,
            failing.map((task) => ({ task, delayMs: 0 })),
          )
        const ending = tasks.filter((task) => !failing.includes(task))
        if (ending.length > 0)
          await complete(
            connection,
            mine,
            ending.map((task) => ({ task })),
          )
        expect(await miscounted(connection)).toEqual([])
        const [row] = await connection.query<{ left: number }>(
          "select count(*)::int as left from millrace.run where slug = 'storm' and finished_at is null",
        )
        left = row!.left
      }
      await connection.end()
    }),
  )
})

test('who is resumed while it waits for a rate begins no sooner', async () => {
  const worker = await workerOf(database, 'resumed', chain('only'))
  await defineLimit(database, 'resumed', { kind: 'rate', units: 1, per_ms: 3_600_000, burst: 1 }, 'resumed')
  const [, ...late] = await start('resumed', [1, 2, 3])
  expect(await claim(database, worker, 5)).toHaveLength(1)
  for (const run of late) {
    await pauseRun(database, run)
    await resumeRun(database, run)
  }
  expect(await claim(database, worker, 5)).toEqual([])
})

test.each(['1e400', '1e-400', '-1e400'])(
  'units of %s are taken for what is nearest to them',
  async (units) => {
    const slug = `units${units.replaceAll(/\W/g, '')}`
    const worker = await workerOf(database, slug, chain('only'))
    const settings = { kind: 'rate', units: 10, per_ms: 1000, burst: 5, units_path: ['n'] }
    await defineLimit(database, slug, settings, slug)
    await database.query('select millrace.start_run($1, $2::jsonb)', [slug, `{"n": ${units}}`])
    expect(await claim(database, worker, 5)).toHaveLength(1)
  },
)

test.each([
  ['first', [3_600_000, 3_600]],
  ['last', [3_600, 3_600_000]],
])('under two rates begins what the slower one allows, where it is judged %s', async (place, times) => {
  await database.clock.freeze()
  const slug = `slower-${place}`
  const worker = await workerOf(database, slug, chain('only'))
  for (const per_ms of times)
    await defineLimit(database, `${slug}-${per_ms}`, { kind: 'rate', units: 1_000, per_ms }, slug)
  const runs = await start(
    slug,
    Array.from({ length: 3_000 }, (_, n) => n),
  )
  const begun: string[] = []
  for (let tenths = 0; tenths <= 180; tenths++) {
    await promote(database)
    begun.push(...runsOf(await claim(database, worker, 1_000)))
    await database.clock.advance('100ms')
  }
  // One each 3.6 seconds.
  expect(begun).toEqual(runs.slice(0, 6))
})

test('what a rate has given while another one is held for long is not used all at once', async () => {
  await database.clock.freeze()
  const worker = await workerOf(database, 'held-rate', chain('only'))
  await defineLimit(database, 'held-rate-slow', { kind: 'rate', units: 60, per_ms: 60_000 }, 'held-rate')
  await defineLimit(database, 'held-rate-fast', { kind: 'rate', units: 100, per_ms: 1_000 }, 'held-rate')
  await start(
    'held-rate',
    Array.from({ length: 400 }, (_, n) => n),
  )
  expect(await claim(database, worker, 1_000)).toHaveLength(1)
  await database.query(
    `update millrace.limit_state s set held_until = millrace.now() + interval '5 minutes'
       from millrace.limit_rule k where k.id = s.rule_id and k.name = 'held-rate-fast'`,
  )
  const begun: number[] = []
  for (let second = 1; second <= 330; second++) {
    await database.clock.advance('1s')
    await promote(database)
    begun.push((await claim(database, worker, 1_000)).length)
  }
  expect(begun.slice(0, 299).every((count) => count === 0)).toBe(true)
  // One a second, and what is a moment late.
  expect(begun.slice(299).reduce((sum, count) => sum + count)).toBeGreaterThan(15)
  expect(Math.max(...begun)).toBeLessThanOrEqual(4)
})
