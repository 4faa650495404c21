// Limits as authors write them: what is refused, what workers make of them, and what is told of a task that has to wait.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openMillrace } from '../../test/millrace.ts'
import { tellAccount } from '../core/account.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import { limit, type LimitOptions } from './limit.ts'
import { limitDefinitions } from './limits.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()

const settings: [string, LimitOptions, Record<string, unknown>][] = [
  ['concurrency', { concurrency: 5 }, { kind: 'concurrency', capacity: 5, strategy: 'wait' }],
  [
    'a strategy and a path',
    { concurrency: 5, strategy: 'reject newest', key: 'account.id' },
    { kind: 'concurrency', capacity: 5, strategy: 'reject_newest', key: [['account', 'id']] },
  ],
  ['a rate as text', { rate: '100/1m' }, { kind: 'rate', units: 100, per_ms: 60_000 }],
  [
    'a rate with units',
    {
      rate: { units: 10, per: '1s' },
      burst: 5,
      units: ({ input }) => input['size'],
      key: ['$tenant', 'region'],
    },
    {
      kind: 'rate',
      units: 10,
      per_ms: 1_000,
      burst: 5,
      units_path: ['size'],
      key: [['$tenant'], ['region']],
    },
  ],
  [
    'a breaker by item',
    { breaker: { failures: 5, within: '1m', cooldown: '30s' }, key: ({ item }) => item['host'] },
    { kind: 'breaker', failures: 5, window_ms: 60_000, cooldown_ms: 30_000, key: [['$item', 'host']] },
  ],
  [
    'a strict order',
    { concurrency: 1, key: 'account', fifo: 'pass' },
    { kind: 'concurrency', capacity: 1, strategy: 'wait', key: [['account']], fifo: 'pass' },
  ],
  [
    'turns by weight',
    { key: 'customer', fairness: { weights: { acme: 3 } } },
    { kind: 'fairness', key: [['customer']], weights: { acme: 3 }, default_weight: 1 },
  ],
  [
    'several picked at once',
    { concurrency: 1, key: ({ input, tenant }) => [tenant, input['account']?.['id']] },
    { kind: 'concurrency', capacity: 1, strategy: 'wait', key: [['$tenant'], ['account', 'id']] },
  ],
]

test.each(settings)('a limit says %s', (_, options, expected) => {
  expect(limit('some', options).settings).toEqual(expected)
})

const refused: [string, string, unknown, RegExp][] = [
  ['a name', 'Some', { concurrency: 1 }, /is no name/],
  ['no kind', 'some', {}, /exactly one of concurrency, rate, breaker and fairness/],
  ['two kinds', 'some', { concurrency: 1, rate: '1/1s' }, /exactly one of/],
  ['an option of another kind', 'some', { concurrency: 1, burst: 2 }, /option 'burst'/],
  ['no room', 'some', { concurrency: 0 }, /concurrency of 0/],
  ['turns without a key', 'some', { fairness: {} }, /has no key/],
  ['a weight', 'some', { key: 'a', fairness: { weights: { acme: 0 } } }, /weight of 'acme' of 0/],
  ['an order of several', 'some', { concurrency: 2, fifo: 'block' }, /can't keep the order/],
  ['an order of another kind', 'some', { concurrency: 1, fifo: 'yes' }, /can't keep the order/],
  ['a strategy', 'some', { concurrency: 1, strategy: 'hope' }, /strategy 'hope'/],
  ['a rate', 'some', { rate: 'often' }, /rate 'often'/],
  [
    'a computed key',
    'some',
    { concurrency: 1, key: ({ input }: { input: { a: string } }) => `${input.a}!` },
    /can't be read in SQL/,
  ],
  [
    'the whole input',
    'some',
    { concurrency: 1, key: ({ input }: { input: unknown }) => input },
    /picks neither/,
  ],
]

test.each(refused)('limit_invalid: %s is refused where the rule is written', (_, name, options, message) => {
  expect(() => limit(name, options as LimitOptions)).toThrow(
    expect.objectContaining({ code: 'limit_invalid', message: expect.stringMatching(message) as string }),
  )
})

test('limit_invalid: what a pipeline could not keep apart is refused with it', () => {
  const byHost = limit('by-host', { concurrency: 1, key: '$item.host' })
  const byAccount = limit('by-account', { concurrency: 1, key: 'account' })
  const input = z.object({ account: z.string(), other: z.string() })
  const graphs = [
    pipeline('no-items', { limits: [byHost] }).step('only', () => 1),
    pipeline('no-item').step('only', { limit: byHost }, () => 1),
    pipeline('no-turns').step('only', { limit: limit('turns', { key: 'account', fairness: {} }) }, () => 1),
    pipeline('hidden', { input, encrypt: { clear: 'other' }, limits: [byAccount] }).step('only', () => 1),
  ]
  for (const { graph } of graphs.map((built) => ({ graph: () => built.graph })))
    expect(graph).toThrow(expect.objectContaining({ code: 'limit_invalid' }))
  const clear = pipeline('clear', { input, encrypt: { clear: 'account' }, limits: [byAccount] }).step(
    'only',
    () => 1,
  )
  expect(clear.graph.steps).toHaveLength(1)
  expect(() => pipeline('none', { limits: ['by-account' as never] })).toThrow(
    expect.objectContaining({ code: 'limit_invalid' }),
  )
})

test('a rule gathers all that it holds for, changes no digest, and has one meaning', () => {
  const rule = limit('shared', { concurrency: 2 })
  const plain = pipeline('first').step('only', () => 1)
  const first = pipeline('first').step('only', { limit: [rule] }, () => 1)
  const second = pipeline('second', { limits: [rule] })
    .step('a', () => [1])
    .map('b', { over: 'a', limit: rule }, () => 1)
    .sleep('c', { for: '1s', limit: rule })
  expect(first.digest).toBe(plain.digest)
  expect(limitDefinitions([first, second, plain])).toEqual([
    {
      name: 'shared',
      settings: rule.settings,
      targets: [
        { slug: 'first', step: 'only' },
        { slug: 'second' },
        { slug: 'second', step: 'b' },
        { slug: 'second', step: 'c' },
      ],
    },
  ])
  const other = pipeline('other', { limits: [limit('shared', { concurrency: 3 })] }).step('only', () => 1)
  expect(() => limitDefinitions([first, other])).toThrow(expect.objectContaining({ code: 'limit_invalid' }))
})

test('two workers together run no more than two at once by key, and all runs come to their end', async () => {
  const running = new Map<string, number>()
  let most = 0
  const narrow = pipeline('narrow', {
    input: z.object({ account: z.string() }),
    limits: [limit('narrow', { concurrency: 2, key: 'account' })],
  }).step('only', async ({ input }) => {
    const now = (running.get(input.account) ?? 0) + 1
    running.set(input.account, now)
    most = Math.max(most, now)
    await pause(2)
    running.set(input.account, (running.get(input.account) ?? 0) - 1)
    return 1
  })
  const client = opened.client()
  await opened.worker({ pipelines: [narrow], name: 'one' })
  await opened.worker({ pipelines: [narrow], name: 'two' })
  const answers = await client.startMany(
    narrow,
    Array.from({ length: 60 }, (_, n) => ({ account: `account-${n % 3}` })),
  )
  await Promise.all(answers.map(({ run }) => client.run(run!).result()))
  expect(most).toBe(2)
  const [told] = await client.limits.list({ name: 'narrow' })
  expect(told).toMatchObject({ source: 'code', revision: 1, targets: [{ slug: 'narrow' }] })
  expect(told?.keys.map(({ used, waiting }) => used + waiting)).toEqual([0, 0, 0])
})

test("limit_invalid: an operator can't count by what a pipeline encrypts", async () => {
  const input = z.object({ account: z.string(), region: z.string() })
  const hidden = pipeline('encrypted', { input, encrypt: { clear: 'region' } }).step('only', () => 1)
  const encryptionKeys = { k1: Buffer.alloc(32, 1).toString('base64') }
  await opened.worker({ pipelines: [hidden], encryptionKeys })
  const targets = [{ slug: 'encrypted' }]
  const client = opened.client()
  for (const key of ['account', '$item.host'])
    await expect(
      client.limits.define(limit('by-hidden', { concurrency: 1, key }), { targets }),
    ).rejects.toMatchObject({ code: 'limit_invalid' })
  expect(
    await client.limits.define(limit('by-clear', { concurrency: 1, key: ['region', '$tenant'] }), {
      targets,
    }),
  ).toEqual({ revision: 1 })
})

test('an operator changes a rule while it is at work, and the code leaves it as it is', async () => {
  const rule = limit('steered', { concurrency: 1 })
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let begun = 0
  const steered = pipeline('steered', { limits: [rule] }).step('only', async () => {
    begun += 1
    await gate
  })
  const client = opened.client()
  await opened.worker({ pipelines: [steered] })
  const first = await client.start(steered, null)
  await expect.poll(() => begun).toBe(1)
  const second = await client.start(steered, null)
  await expect.poll(async () => (await client.run(second.run!).why()).reason).toBe('limit')
  const { sentence } = await client.run(second.run!).why()
  expect(sentence).toContain(
    `for limit 'steered', which has 1 of 1 slot in use: by 'only' of run ${first.run!.id}; it is the next.`,
  )
  await expect(
    client.limits.define(limit('steered', { concurrency: 2 }), { ifRevision: 7 }),
  ).rejects.toMatchObject({
    code: 'revision_conflict',
    fields: { revision: 1 },
  })
  expect(await client.limits.define(limit('steered', { concurrency: 2 }), { ifRevision: 1 })).toEqual({
    revision: 2,
  })
  await expect.poll(() => begun).toBe(2)
  open()
  await Promise.all([first, second].map(({ run }) => client.run(run!).result()))

  const caller = poolCaller(database.pool, { prepare: false, database: 'test' })
  await expect
    .poll(async () => tellAccount(await runAccount(caller, second.run!.id)).replace(/\s+/g, ' '))
    .toMatch(/having waited \S+ (?:\S+ )?for limit 'steered'/)

  await opened.worker({ pipelines: [steered], name: 'again' })
  expect(opened.log.map(({ message }) => message)).toContainEqual(
    expect.stringContaining("Limit 'steered' is as an operator defined it, revision 2"),
  )
  expect(await client.limits.remove('steered', { ifRevision: 2 })).toBe(true)
  expect(await client.limits.remove('steered')).toBe(false)
  await expect(client.limits.define(limit('nowhere', { concurrency: 2 }))).rejects.toMatchObject({
    code: 'limit_invalid',
  })
})

test('a rule that is taken out of the code is removed by the next worker', async () => {
  const kept = pipeline('dropped', { limits: [limit('dropped', { concurrency: 1 })] }).step('only', () => 1)
  const client = opened.client()
  await opened.worker({ pipelines: [kept] })
  expect(await client.limits.list({ name: 'dropped' })).toHaveLength(1)
  await opened.worker({ pipelines: [pipeline('dropped').step('only', () => 1)] })
  expect(await client.limits.list({ name: 'dropped' })).toEqual([])
})
