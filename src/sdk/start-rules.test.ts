// Rules on starts in code: what authors write is what the database keeps, and what each start is answered.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openMillrace } from '../../test/millrace.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()

const input = z.object({ account: z.number(), n: z.number() })

test('the rules of a pipeline are there with its first start, however it is started', async () => {
  const client = opened.client()
  const imports = pipeline('imports', {
    input,
    debounce: { key: 'account', wait: '5s', most: '1m' },
    waiting: [{ most: 2 }, { key: ({ account }) => account, most: 1 }],
  }).step('do', () => 1)
  const first = await client.start(imports, { account: 1, n: 1 })
  expect(first.created).toBe(true)
  expect(await client.startRules.list('imports')).toMatchObject([
    {
      name: 'debounce',
      settings: { kind: 'debounce', key: [['account']], wait_ms: 5_000, most_ms: 60_000 },
      source: 'code',
      revision: 1,
    },
    { name: 'waiting', settings: { kind: 'waiting', key: [], most: 2 } },
    { name: 'waiting-2', settings: { kind: 'waiting', key: [['account']], most: 1 } },
  ])
  const coalesced = { created: false, reason: 'coalesced', run: first.run, rule: 'debounce' }
  expect(await client.start(imports, { account: 1, n: 2 })).toEqual(coalesced)
  expect(await client.start('imports', { account: 1, n: 3 })).toEqual(coalesced)
  expect(
    await client.startMany('imports', [
      { account: 1, n: 4 },
      { account: 2, n: 5 },
    ]),
  ).toMatchObject([coalesced, { created: true }])
  const third = await database.query('select created, reason, run_id, rule from millrace.start_run($1, $2)', [
    'imports',
    { account: 3, n: 6 },
  ])
  expect(third).toEqual([{ created: false, reason: 'limit', run_id: null, rule: 'waiting' }])
  expect(await database.query('select input from millrace.run where id = $1', [first.run!.id])).toEqual([
    { input: { account: 1, n: 4 } },
  ])
})

test('a refused start tells the rule, and when it would pass', async () => {
  const client = opened.client()
  const mails = pipeline('mails', { input, throttle: { key: 'account', starts: 1, per: '1h' } }).step(
    'do',
    () => 1,
  )
  const before = Date.now()
  await client.start(mails, { account: 1, n: 1 })
  const answer = await client.start(mails, { account: 1, n: 2 })
  expect(answer).toMatchObject({ created: false, reason: 'limit', run: null, rule: 'throttle' })
  const passesAt = answer.created === false && answer.reason === 'limit' ? answer.passesAt : null
  expect(passesAt!.getTime() - before).toBeGreaterThan(3_599_000)
})

test('an operator changes a rule, and takes it away, while runs are under way', async () => {
  const client = opened.client()
  const reports = pipeline('reports', { input, throttle: { starts: 1, per: '1h' } }).step('do', () => 1)
  await client.start(reports, { account: 1, n: 1 })
  const wider = { throttle: { starts: 2, per: '1h' } } as const
  expect(await client.startRules.define('reports', wider, { ifRevision: 1 })).toEqual({ revision: 2 })
  await expect(client.startRules.define('reports', wider, { ifRevision: 1 })).rejects.toMatchObject({
    code: 'revision_conflict',
  })
  // Another process with the same code changes nothing of it.
  const other = opened.client()
  expect(await other.start(reports, { account: 1, n: 2 })).toMatchObject({ created: true })
  expect(await other.start(reports, { account: 1, n: 3 })).toMatchObject({ reason: 'limit' })
  expect(await client.startRules.remove('reports', 'throttle')).toBe(true)
  expect(await other.start(reports, { account: 1, n: 4 })).toMatchObject({ created: true })
  await expect(client.startRules.define('reports', {})).rejects.toMatchObject({ code: 'start_rule_invalid' })
})

test.each([
  ['debounce', { encrypt: true, debounce: { wait: '5s' } }, /encrypted/],
  ['throttle', { encrypt: true, throttle: { key: 'account', starts: 1, per: '1s' } }, /encrypted key/],
  ['debounce', { key: 'account', debounce: { wait: '5s' } }, /run keys/],
] as const)('a %s that could not be kept is refused where it is written', (_, options, message) => {
  expect(() => pipeline('impossible', { input, ...options }).step('do', () => 1)).toThrow(message)
})
