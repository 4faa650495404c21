// The split of starts among versions: the same key, the same version; the shares that the weights say; and no key moved without need.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { chain, newId, registerPipeline, startRun, startRuns } from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

async function versionsOf(slug: string, count: number): Promise<void> {
  for (let n = 1; n <= count; n++)
    await registerPipeline(database, slug, chain(...Array.from({ length: n }, (_, i) => `s${i}`)))
}

const split = (slug: string, weights: Record<number, number>, key: string | null = null) =>
  database.query('select millrace.split_pipeline($1, $2, $3, $4)', [
    slug,
    Object.keys(weights).map(Number),
    Object.values(weights),
    key,
  ])

/** Which version each of so many users would get. */
async function assigned(slug: string, users = 3_000): Promise<Map<string, number>> {
  const rows = await database.query<{ user: string; version: number }>(
    `select u.id as user, b.version
       from generate_series(1, $2::int) n cross join lateral (select 'user-' || n as id) u
       join millrace.pipeline_bucket b on b.slug = $1 and b.bucket = millrace.split_bucket($1, u.id)`,
    [slug, users],
  )
  return new Map(rows.map(({ user, version }) => [user, version]))
}

async function buckets(slug: string): Promise<Record<number, number>> {
  const rows = await database.query<{ version: number; n: number }>(
    'select version, count(*)::int as n from millrace.pipeline_bucket where slug = $1 group by 1 order by 1',
    [slug],
  )
  return Object.fromEntries(rows.map(({ version, n }) => [version, n]))
}

/** Who has another version than before, as "from → to" with how many. */
function moves(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const found: Record<string, number> = {}
  for (const [user, version] of before) {
    const now = after.get(user)
    if (now !== version) found[`${version} → ${now}`] = (found[`${version} → ${now}`] ?? 0) + 1
  }
  return found
}

async function versionOf(run: string): Promise<number> {
  const [row] = await database.query<{ version: number }>('select version from millrace.run where id = $1', [
    run,
  ])
  return row?.version ?? 0
}

test('the same key gets the same version with each start, in the share that its weight says', async () => {
  await versionsOf('stable', 2)
  await split('stable', { 1: 70, 2: 30 }, 'user.id')
  const users = Array.from({ length: 600 }, (_, n) => `user-${n}`)
  const startAll = async () => {
    const ids = users.map(() => newId())
    await startRuns(
      database,
      ids.map((id, n) => ({ id, slug: 'stable', input: { user: { id: users[n] }, n: Math.random() } })),
    )
    const rows = await database.query<{ id: string; version: number }>(
      'select id, version from millrace.run where id = any ($1)',
      [ids],
    )
    const byId = new Map(rows.map(({ id, version }) => [id, version]))
    return ids.map((id) => byId.get(id))
  }
  const first = await startAll()
  expect(await startAll()).toEqual(first)
  const share = first.filter((version) => version === 2).length / users.length
  expect(share).toBeGreaterThan(0.23)
  expect(share).toBeLessThan(0.37)
  const steps = await database.query(
    `select r.version from millrace.run r join millrace.task t on t.run_id = r.id join millrace.step_definition d on d.id = t.step_id
      where r.slug = 'stable' and d.version <> r.version`,
  )
  expect(steps).toEqual([])
})

test('a start that names its version gets it, and a version registered meanwhile gets none of the others', async () => {
  await versionsOf('named', 2)
  await split('named', { 2: 1 })
  expect(await versionOf((await startRun(database, 'named', null, { version: 1 })).run_id)).toBe(1)
  expect(await versionOf((await startRun(database, 'named')).run_id)).toBe(2)
  await versionsOf('named', 3)
  expect(await versionOf((await startRun(database, 'named')).run_id)).toBe(2)
  await database.query("select millrace.activate_pipeline('named', 3)")
  expect(await versionOf((await startRun(database, 'named')).run_id)).toBe(3)
  expect(await buckets('named')).toEqual({})
})

test('without a key, or a value there, the id of the run decides: the same start again is the same version', async () => {
  await versionsOf('by-run', 2)
  await split('by-run', { 1: 50, 2: 50 }, 'user.id')
  const ids = Array.from({ length: 200 }, () => newId())
  const start = () =>
    startRuns(
      database,
      ids.map((id, n) => ({ id, slug: 'by-run', input: n % 2 === 0 ? { user: { id: null } } : 'no object' })),
    )
  await start()
  const count = () =>
    database.query(
      "select version, count(*)::int as n from millrace.run where slug = 'by-run' group by 1 order by 1",
    )
  const counted = await count()
  expect(counted).toHaveLength(2)
  await start()
  expect(await count()).toEqual(counted)
})

test('a batch of starts of several pipelines resolves each by itself, with run keys and idempotency keys as ever', async () => {
  await versionsOf('mixed-plain', 1)
  await registerPipeline(database, 'mixed-keyed', chain('a'), [['n']])
  await registerPipeline(database, 'mixed-keyed', chain('a', 'b'), [['n']])
  await split('mixed-keyed', { 1: 1, 2: 1 }, 'n')
  const starts = Array.from({ length: 40 }, (_, n) => ({
    id: newId(),
    slug: n % 2 === 0 ? 'mixed-plain' : 'mixed-keyed',
    input: { n: n >> 2 },
    idempotencyKey: `k${n}`,
  }))
  const answers = await startRuns(database, starts)
  expect(answers.filter(({ reason }) => reason === 'live')).toHaveLength(10)
  const rows = await database.query<{ key: string; version: number }>(
    "select key, version from millrace.run where slug = 'mixed-keyed'",
  )
  expect(rows).toHaveLength(10)
  expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([1, 2]))
})

test('other weights move the keys that must move, and no other', async () => {
  await versionsOf('moved', 4)
  await split('moved', { 1: 90, 2: 10 })
  expect(await buckets('moved')).toEqual({ 1: 900, 2: 100 })
  const first = await assigned('moved')
  await split('moved', { 1: 50, 2: 50 })
  expect(await buckets('moved')).toEqual({ 1: 500, 2: 500 })
  const second = await assigned('moved')
  expect(Object.keys(moves(first, second))).toEqual(['1 → 2'])
  await split('moved', { 1: 900, 2: 100 })
  expect(moves(first, await assigned('moved'))).toEqual({})

  await split('moved', { 1: 40, 2: 40, 3: 20 })
  const third = await assigned('moved')
  expect(Object.keys(moves(first, third)).toSorted()).toEqual(['1 → 2', '1 → 3'])
  await split('moved', { 1: 20, 2: 40, 3: 40 })
  const fourth = await assigned('moved')
  expect(Object.keys(moves(third, fourth))).toEqual(['1 → 3'])
  await split('moved', { 2: 40, 3: 40, 4: 20 })
  expect(Object.keys(moves(fourth, await assigned('moved')))).toEqual(['1 → 4'])
  expect(await buckets('moved')).toEqual({ 2: 400, 3: 400, 4: 200 })
})

test('whatever the weights, the buckets are 1,000, each version has its share within one, and the fewest change hands', async () => {
  await versionsOf('any', 7)
  let before = new Map<number, number>()
  for (let round = 1; round <= 25; round++) {
    const weights = Object.fromEntries(
      [1, 2, 3, 4, 5, 6, 7]
        .filter((version) => (version * 31 + round * 17) % 5 > 0)
        .map((version) => [version, 1 + ((version * 7919 + round * 104_729) % 1_000)]),
    )
    await split('any', weights)
    const rows = await database.query<{ bucket: number; version: number }>(
      "select bucket, version from millrace.pipeline_bucket where slug = 'any' order by 1",
    )
    const after = new Map(rows.map(({ bucket, version }) => [bucket, version]))
    expect(after.size).toBe(1_000)
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    const count = (map: Map<number, number>, version: number) =>
      [...map.values()].filter((one) => one === version).length
    let lost = 0
    for (let version = 1; version <= 7; version++) {
      const share = (1_000 * (weights[version] ?? 0)) / total
      expect(Math.abs(count(after, version) - share)).toBeLessThan(share > 0 ? 3 : 0.5)
      lost += Math.max(0, count(before, version) - count(after, version))
    }
    const changed = [...before].filter(([bucket, version]) => after.get(bucket) !== version).length
    expect(changed).toBe(lost)
    before = after
  }
})

test('two pipelines that split by the same key split independently', async () => {
  for (const slug of ['one', 'other']) {
    await versionsOf(slug, 2)
    await split(slug, { 1: 50, 2: 50 })
  }
  const [one, other] = [await assigned('one'), await assigned('other')]
  const alike = [...one].filter(([user, version]) => other.get(user) === version).length / one.size
  expect(alike).toBeGreaterThan(0.42)
  expect(alike).toBeLessThan(0.58)
})

test('outcomes are told by version, since the split was set', async () => {
  await versionsOf('told', 2)
  const outcomes = () => database.query("select * from millrace.pipeline_outcomes('told')")
  expect(await outcomes()).toMatchObject([{ version: 2, weight: null, share: 1, runs: 0 }])
  await startRun(database, 'told')
  await database.clock.advance('1 minute')
  await split('told', { 1: 3, 2: 1 })
  const cancelled = await startRun(database, 'told', null, { version: 1 })
  await database.query('select millrace.cancel_run($1)', [cancelled.run_id])
  const done = await startRun(database, 'told', null, { version: 1 })
  await database.query("select * from millrace.start_step($1, 's0')", [done.run_id])
  await database.clock.advance('2 seconds')
  await database.query("select millrace.complete_step($1, 's0', 1, '1')", [done.run_id])
  expect(await outcomes()).toEqual([
    {
      version: 1,
      weight: 3,
      share: 0.75,
      runs: 2,
      live: 0,
      completed: 1,
      failed: 0,
      cancelled: 1,
      // The time that passes by itself counts as well.
      median_ms: expect.closeTo(2_000, -3),
    },
    {
      version: 2,
      weight: 1,
      share: 0.25,
      runs: 0,
      live: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      median_ms: null,
    },
  ])
  await expect(database.query("select * from millrace.pipeline_outcomes('nobody')")).rejects.toMatchObject({
    code: 'MR002',
  })
  await database.clock.reset()
})

test('what can be no split is refused, and changes nothing', async () => {
  await versionsOf('wrong', 2)
  await split('wrong', { 1: 1, 2: 1 })
  for (const [versions, weights, key, code] of [
    [[1, 3], [1, 1], null, 'MR002'],
    [[1, 2], [1], null, 'MR014'],
    [[1, 2], [1, 0], null, 'MR014'],
    [[1, 1], [1, 1], null, 'MR014'],
    [[], [], null, 'MR014'],
    [[1], [1], 'a..b', 'MR014'],
  ] as const)
    await expect(
      database.query("select millrace.split_pipeline('wrong', $1, $2, $3)", [versions, weights, key]),
    ).rejects.toMatchObject({ code })
  await expect(split('nobody', { 1: 1 })).rejects.toMatchObject({ code: 'MR002' })
  expect(await buckets('wrong')).toEqual({ 1: 500, 2: 500 })
})

test('a split of a release that mixed encrypted and clear versions hands no step what it cannot read: such a start is refused', async () => {
  await versionsOf('mixed', 2)
  await database.query(
    `update millrace.pipeline_version set graph = graph || '{"encrypt": {"clear": []}}' where slug = 'mixed' and version = 2`,
  )
  await expect(split('mixed', { 1: 1, 2: 1 })).rejects.toMatchObject({ code: 'MR050' })
  // As it was stored before that was refused.
  await database.query(
    `insert into millrace.pipeline_share (slug, version, weight) values ('mixed', 1, 1), ('mixed', 2, 1)`,
  )
  await database.query(
    `insert into millrace.pipeline_bucket (slug, bucket, version, since) select 'mixed', n, 1 + n % 2, 0 from generate_series(0, 999) n`,
  )
  await database.query(
    `update millrace.pipeline set split_path = '[]', split_at = millrace.now() where slug = 'mixed'`,
  )
  const envelope = { $encrypted: { key: 'k1', nonce: 'bm9uY2U', data: 'Y2lwaGVy' } }
  for (const [input, version] of [
    [envelope, 2],
    [{ name: 'Ada' }, 1],
  ] as const) {
    const tried = await Promise.allSettled(
      Array.from({ length: 20 }, () => startRun(database, 'mixed', input)),
    )
    const refused = tried.filter((one) => one.status === 'rejected').map((one) => one.reason.code)
    expect(new Set(refused)).toEqual(new Set(['MR050']))
    const [row] = await database.query<{ versions: number[] }>(
      `select array_agg(distinct r.version) as versions from millrace.run r where r.slug = 'mixed' and millrace.is_sealed(r.input) = ($1::int = 2)`,
      [version],
    )
    expect(row?.versions).toEqual([version])
  }
})
