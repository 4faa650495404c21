// Rules as operators define them: what can't be enforced is refused, and a change that was decided on an old look as well.
import { expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { chain, claim, newId, promote, startRuns, sweep, untilBlocked } from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

const concurrency = { kind: 'concurrency', capacity: 5 }

const refused: [string, string, Record<string, unknown>, Record<string, string>[], RegExp][] = [
  ['a name that is none', 'Großes', concurrency, [{ slug: 'a' }], /can't be called/],
  ['a kind that there is not', 'a', { kind: 'fair' }, [{ slug: 'a' }], /no kind that there is/],
  ['a setting of another kind', 'a', { ...concurrency, burst: 3 }, [{ slug: 'a' }], /takes no 'burst'/],
  [
    'a capacity of none',
    'a',
    { kind: 'concurrency', capacity: 0 },
    [{ slug: 'a' }],
    /capacity of limit 'a' is 0/,
  ],
  [
    'a capacity that is not whole',
    'a',
    { kind: 'concurrency', capacity: 1.5 },
    [{ slug: 'a' }],
    /capacity of limit 'a' is 1.5/,
  ],
  ['a strategy that there is not', 'a', { ...concurrency, strategy: 'hope' }, [{ slug: 'a' }], /no strategy/],
  [
    'a key that is no list of paths',
    'a',
    { ...concurrency, key: 'account' },
    [{ slug: 'a' }],
    /no list of at most 10 paths/,
  ],
  [
    'a key that leads nowhere',
    'a',
    { ...concurrency, key: [['$time']] },
    [{ slug: 'a' }],
    /no list of at most 10 paths/,
  ],
  ['a rate without a time', 'a', { kind: 'rate', units: 5 }, [{ slug: 'a' }], /per_ms of limit 'a' is null/],
  [
    'a breaker without a window',
    'a',
    { kind: 'breaker', failures: 5, cooldown_ms: 1000 },
    [{ slug: 'a' }],
    /window_ms of limit 'a' is null/,
  ],
  ['no target', 'a', concurrency, [], /holds for nothing/],
  ['a step without its pipeline', 'a', concurrency, [{ step: 'only' }], /names no pipeline and no queue/],
  ['a step of a queue', 'a', concurrency, [{ queue: 'q', step: 's' }], /names a step and no pipeline/],
  ['an unknown target', 'a', concurrency, [{ worker: 'w' }], /unknown 'worker'/],
]

test.each(refused)(
  'MR060 %s is refused when the rule is written',
  async (_, name, settings, targets, message) => {
    await expect(defineLimit(database, name, settings, targets)).rejects.toMatchObject({
      code: 'MR060',
      message: expect.stringMatching(message) as string,
    })
  },
)

test.each(['["orders"]', '[null]', '[[]]'])(
  'MR060 %s names nothing that a rule could hold for',
  async (targets) => {
    await expect(
      database.query('select millrace.define_limit($1, $2, $3)', ['a', JSON.stringify(concurrency), targets]),
    ).rejects.toMatchObject({
      code: 'MR060',
      message: expect.stringMatching(/a target that is none/) as string,
    })
  },
)

test('a change that was decided on an older look is refused with what there is now', async () => {
  expect(await defineLimit(database, 'seen', concurrency, 'seen', 0)).toBe(1)
  expect(await defineLimit(database, 'seen', { ...concurrency, capacity: 6 }, 'seen', 1)).toBe(2)
  await expect(defineLimit(database, 'seen', concurrency, 'seen', 1)).rejects.toMatchObject({
    code: 'MR030',
    detail: expect.stringContaining('"capacity": 6') as string,
  })
  expect(await defineLimit(database, 'seen', { ...concurrency, capacity: 6 }, 'seen')).toBe(2)
})

test('a rule stays of its kind', async () => {
  await defineLimit(database, 'kind', concurrency, 'kind')
  await expect(
    defineLimit(database, 'kind', { kind: 'rate', units: 1, per_ms: 1000 }, 'kind'),
  ).rejects.toMatchObject({
    code: 'MR060',
  })
})

test('a rule is listed as it was defined', async () => {
  const defined: Record<string, unknown>[] = [
    { kind: 'concurrency', key: [['a', 'b'], ['$tenant']], capacity: 3, strategy: 'reject_newest' },
    { kind: 'rate', key: [], units: 100, per_ms: 60_000, burst: 20, units_path: ['size'] },
    { kind: 'rate', key: [], units: 7, per_ms: 1_000, burst: 1 },
    { kind: 'breaker', key: [['$item', 'host']], failures: 5, window_ms: 60_000, cooldown_ms: 30_000 },
  ]
  for (const [n, settings] of defined.entries())
    await defineLimit(database, `told-${n}`, settings, [{ slug: 'told', step: 's' }, { queue: 'q' }])
  const rows = await database.query<{ settings: Record<string, unknown>; targets: unknown }>(
    "select settings, targets from millrace.list_limits() where name like 'told-%'",
  )
  expect(rows.map(({ settings }) => settings)).toEqual(defined)
  expect(rows[0]?.targets).toEqual([{ slug: 'told', step: 's' }, { queue: 'q' }])
})

test('a rate that changes while a claim is under way leaves nobody with a time of the old one', async () => {
  const worker = await workerOf(database, 'faster', chain('only'))
  const starts = (numbers: number[]) =>
    startRuns(
      database,
      numbers.map((input) => ({ id: newId(), slug: 'faster', input })),
    )
  await defineLimit(database, 'faster', { kind: 'rate', units: 1, per_ms: 43_200_000, burst: 1 }, 'faster')
  await starts([1, 2, 3])
  await one.query('begin')
  expect(await claim(one, worker, 5)).toHaveLength(1)
  const defined = defineLimit(
    other,
    'faster',
    { kind: 'rate', units: 1000, per_ms: 1000, burst: 100 },
    'faster',
  )
  await Promise.race([untilBlocked(database), defined])
  await one.query('commit')
  await defined
  await starts([4])
  await sweep(database)
  await promote(database)
  expect(await claim(database, worker, 5)).toHaveLength(3)
})

test.each([
  ['without a key', []],
  ['of a key', [['k']]],
])(
  'a capacity is lowered once the claims under way have ended, so that nothing begins past it, %s',
  async (_, key) => {
    const slug = `lower-${key.length}`
    const worker = await workerOf(database, slug, chain('only'))
    await defineLimit(database, slug, { kind: 'concurrency', capacity: 10, key }, slug)
    await startRuns(
      database,
      [1, 2, 3, 4].map(() => ({ id: newId(), slug, input: { k: 1 } })),
    )
    await one.query('begin')
    await claim(one, worker, 1)
    const meanwhile = claim(other, worker, 5)
    await untilBlocked(database)
    let isLowered = false
    const lowered = defineLimit(database, slug, { kind: 'concurrency', capacity: 1, key }, slug).then(() => {
      isLowered = true
    })
    await Promise.race([lowered, untilBlocked(database, 2)])
    expect(isLowered).toBe(false)
    await one.query('commit')
    await meanwhile
    await lowered
  },
)
