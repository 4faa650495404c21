// Rules on starts as rows: defined, changed and removed while runs are under way; what can't be enforced is refused when it is written.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, registerPipeline, startRun } from '../../../test/protocol.ts'
import { defineStartRule } from '../../../test/start-rules.ts'

const { database, one, other } = await openMeeting()

const throttle = (starts: number) => ({ kind: 'throttle', starts, per_ms: 3_600_000 })
const debounce = { kind: 'debounce', key: [['account']], wait_ms: 1_000 }

const rulesOf = (slug: string) =>
  database.query(
    'select name, kind, source, revision from millrace.start_rule where slug = $1 order by name',
    [slug],
  )

const register = (slug: string, graph: object, rules: object) =>
  database.query('select * from millrace.register_pipeline($1, $2, $3)', [
    slug,
    JSON.stringify({ steps: chain('only'), key: [], ...graph }),
    JSON.stringify(rules),
  ])

test('a rule that is changed holds for the next start, and its revision tells who has seen it', async () => {
  await registerPipeline(database, 'changed', chain('only'))
  expect(await defineStartRule(database, 'changed', 'throttle', throttle(1), 0)).toBe(1)
  expect(await defineStartRule(database, 'changed', 'throttle', throttle(1))).toBe(1)
  expect(await startRun(database, 'changed')).toMatchObject({ created: true })
  expect(await startRun(database, 'changed')).toMatchObject({ reason: 'limit' })
  await expect(defineStartRule(database, 'changed', 'throttle', throttle(2), 0)).rejects.toMatchObject({
    code: 'MR030',
  })
  expect(await defineStartRule(database, 'changed', 'throttle', throttle(2), 1)).toBe(2)
  expect(await startRun(database, 'changed')).toMatchObject({ created: true })
  expect(await startRun(database, 'changed')).toMatchObject({ reason: 'limit' })
  const remove = "select millrace.remove_start_rule('changed', 'throttle') as removed"
  expect(await database.query(remove)).toEqual([{ removed: true }])
  expect(await database.query(remove)).toEqual([{ removed: false }])
  expect(await startRun(database, 'changed')).toMatchObject({ created: true })
})

test.each([
  [{ kind: 'debounce' }, /wait_ms .* is null/],
  [{ kind: 'debounce', wait_ms: 5_000, most_ms: 1_000 }, /most_ms .* is 1000/],
  [{ kind: 'throttle', starts: 1.5, per_ms: 1_000 }, /starts .* is 1\.5/],
  [{ kind: 'throttle', starts: 10_000, per_ms: 1_000 }, /starts .* is 10000/],
  [{ kind: 'throttle', starts: 1, per_ms: 1_000, surplus: 'drop' }, /does what no such rule can do: 'drop'/],
  [{ kind: 'latest' }, /does what no such rule can do/],
  [{ kind: 'latest', do: 'cancel other', wait_ms: 1 }, /takes no 'wait_ms'/],
  [{ kind: 'waiting', most: 0 }, /most .* is 0/],
  [{ kind: 'queueing' }, /no kind that there is/],
  [{ kind: 'waiting', most: 1, key: [['$item', 'host']] }, /no list of at most 10 paths/],
  [{ kind: 'waiting', most: 1, key: ['account'] }, /no list of at most 10 paths/],
])('a rule %o that could not be enforced is refused when it is written', async (settings, message) => {
  await registerPipeline(database, 'refusing', chain('only'))
  await expect(defineStartRule(database, 'refusing', 'rule', settings)).rejects.toMatchObject({
    code: 'MR070',
    message: expect.stringMatching(message) as string,
  })
})

test('a rule that makes one run of several does not go with another one, with a wider run key, or with encrypted inputs', async () => {
  await registerPipeline(database, 'twice', chain('only'))
  await defineStartRule(database, 'twice', 'debounce', debounce)
  const coalescing = { ...throttle(1), surplus: 'coalesce' }
  await expect(defineStartRule(database, 'twice', 'throttle', coalescing)).rejects.toThrow(/has a rule like/)

  await registerPipeline(database, 'wide', chain('only'), [['order']])
  await expect(defineStartRule(database, 'wide', 'debounce', debounce)).rejects.toThrow(
    /lacks a path of the run key/,
  )

  await register('sealed', { encrypt: { clear: [] } }, {})
  await expect(defineStartRule(database, 'sealed', 'debounce', debounce)).rejects.toThrow(
    /inputs are encrypted/,
  )
  const keyed = { kind: 'waiting', key: [['account']], most: 1 }
  await expect(defineStartRule(database, 'sealed', 'waiting', keyed)).rejects.toThrow(/its key is encrypted/)

  // Nor does a version that comes later go with a rule that is there.
  await expect(registerPipeline(database, 'twice', chain('only'), [['order']])).rejects.toMatchObject({
    code: 'MR070',
  })
  await expect(startRun(database, 'twice', { account: 1 })).resolves.toMatchObject({ created: true })
})

test('what code brings is applied as a set, and leaves alone what an operator has changed', async () => {
  const waiting = { kind: 'waiting', most: 5 }
  await register('coded', {}, { throttle: throttle(1), waiting })
  expect(await rulesOf('coded')).toMatchObject([
    { name: 'throttle', source: 'code', revision: 1 },
    { name: 'waiting', source: 'code', revision: 1 },
  ])
  await defineStartRule(database, 'coded', 'waiting', { ...waiting, most: 9 })
  await register('coded', {}, { throttle: throttle(1), waiting })
  expect(await rulesOf('coded')).toMatchObject([
    { name: 'throttle', source: 'code', revision: 1 },
    { name: 'waiting', source: 'operator', revision: 2 },
  ])
  await register('coded', {}, {})
  expect(await rulesOf('coded')).toMatchObject([{ name: 'waiting', source: 'operator' }])
  // Who knows of no rules, as an older worker, changes none.
  await registerPipeline(database, 'coded', chain('only'))
  expect(await rulesOf('coded')).toHaveLength(1)
})

test('why and the account tell the rule that makes a start wait, and of how many starts it is', async () => {
  await registerPipeline(database, 'told', chain('only'))
  await defineStartRule(database, 'told', 'debounce', debounce)
  const { run_id: run } = await startRun(database, 'told', { account: 1 })
  await startRun(database, 'told', { account: 1 })
  const [why] = await database.query<{ reason: string; sentence: string }>('select * from millrace.why($1)', [
    run,
  ])
  expect(why!.reason).toBe('delayed')
  expect(why!.sentence).toMatch(
    /^'only' begins on .*, by debounce 'debounce' on starts: it is of 2 starts so far, the last on /,
  )
  const [told] = await database.query<{ account: Record<string, unknown> }>(
    'select millrace.run_account($1) as account',
    [run],
  )
  expect(told!.account['starts']).toMatchObject({ rule: 'debounce', kind: 'debounce', starts: 2 })
})

test('a pipeline that is under no rule takes starts while the rules of another one are changed', async () => {
  await registerPipeline(database, 'ruled', chain('only'))
  await registerPipeline(database, 'free', chain('only'))
  await one.query('begin')
  await defineStartRule(one, 'ruled', 'throttle', throttle(1))
  expect(await startRun(other, 'free')).toMatchObject({ created: true })
  // A start that came before the rule was committed is not under it.
  expect(await startRun(other, 'ruled')).toMatchObject({ created: true })
  await one.query('commit')
  expect(await startRun(other, 'ruled')).toMatchObject({ created: true })
  expect(await startRun(other, 'ruled')).toMatchObject({ reason: 'limit' })
})

test('what rules know of keys that say nothing any more is removed with the history', async () => {
  await registerPipeline(database, 'pruned', chain('only'))
  await defineStartRule(database, 'pruned', 'throttle', { ...throttle(1), key: [['n']] })
  for (const n of [1, 2, 3]) await startRun(database, 'pruned', { n })
  const count = async () =>
    (
      await database.query(
        `select from millrace.start_state s join millrace.start_rule k on k.id = s.rule_id where k.slug = 'pruned'`,
      )
    ).length
  expect(await count()).toBe(3)
  await database.query('select millrace.prune_history(1000)')
  expect(await count()).toBe(3)
  await database.clock.advance('2h')
  await database.query('select millrace.prune_history(1000)')
  expect(await count()).toBe(0)
})
