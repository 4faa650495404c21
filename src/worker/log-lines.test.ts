// The log lines of handlers where not all of them can be kept: what was dropped is counted in its place, and nothing goes silently.
import { expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { Arrival, openMillrace } from '../../test/millrace.ts'
import { tellAccount } from '../core/account.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import { pipeline } from '../sdk/pipeline.ts'

const { database, opened } = await openMillrace()

interface StoredLine {
  readonly item: number
  readonly message: string
  readonly dropped: number | null
}

const linesOf = (run: string) =>
  database.query<StoredLine & Record<string, unknown>>(
    `select item, detail ->> 'message' as message, (detail -> 'fields' ->> 'dropped')::int as dropped
       from millrace.event where run_id = $1 and kind = 'step.log' order by id`,
    [run],
  )

test('what a step logs beyond the bound is dropped, and one line in its place says how many lines', async () => {
  const loud = pipeline('loud').step('shout', ({ log }) => {
    for (let n = 0; n < 10_500; n++) log(`line ${n}`)
  })
  await opened.worker({ pipelines: [loud] })
  const client = opened.client()
  const { run } = await client.start(loud, null)
  await client.run(run!).result()
  const lines = await linesOf(run!.id)
  expect(lines).toHaveLength(10_001)
  expect(lines[9_999]).toMatchObject({ message: 'line 9999', dropped: null })
  expect(lines[10_000]).toMatchObject({
    message: '500 log lines were dropped here: 10,000 lines or 8 MB were waiting to be written',
    dropped: 500,
  })
})

test('long lines are bounded by their size, and every line is either kept or counted', async () => {
  const long = pipeline('long').step('shout', ({ log }) => {
    for (let n = 0; n < 3_000; n++) log('x'.repeat(5_000))
  })
  await opened.worker({ pipelines: [long] })
  const client = opened.client()
  const { run } = await client.start(long, null)
  await client.run(run!).result()
  const lines = await linesOf(run!.id)
  const { dropped } = lines.at(-1)!
  expect(dropped).toBeGreaterThan(800)
  expect(lines.length - 1 + dropped!).toBe(3_000)
  expect(lines[0]!.message).toBe(`${'x'.repeat(3_999)}…`)
})

test('each item is told what it lost itself', async () => {
  const both = new Arrival()
  let there = 0
  const two = pipeline('two')
    .step('list', () => [6_000, 6_001])
    .map('shout', { over: 'list' }, async ({ item, log }) => {
      there++
      if (there === 2) both.arrive()
      await both.come
      for (let n = 0; n < item; n++) log('again')
    })
  await opened.worker({ pipelines: [two] })
  const client = opened.client()
  const { run } = await client.start(two, null)
  await client.run(run!).result()
  const lines = await linesOf(run!.id)
  const kept = lines.filter(({ dropped }) => dropped === null)
  const marks = lines.filter(({ dropped }) => dropped !== null)
  expect(kept).toHaveLength(10_000)
  expect(marks).toHaveLength(1)
  const own = kept.filter(({ item }) => item === marks[0]!.item).length
  expect(own + marks[0]!.dropped!).toBe(6_000 + marks[0]!.item)
})

test('lines that the database refuses by themselves are counted, their reason is told, and the step completes', async () => {
  await database.query(
    `create function refuse_line() returns trigger language plpgsql as $$ begin raise exception 'no such words'; end $$`,
  )
  await database.query(
    `create trigger refuse_line before insert on millrace.event for each row
       when (new.detail ->> 'message' = 'unspeakable') execute function refuse_line()`,
  )
  const rude = pipeline('rude').step('speak', ({ log }) => {
    log('unspeakable')
    log('polite')
  })
  await opened.worker({ pipelines: [rude] })
  const client = opened.client()
  const { run } = await client.start(rude, null)
  await client.run(run!).result()
  expect((await linesOf(run!.id)).map(({ message }) => message)).toEqual([
    '2 log lines were dropped here: the database refused them: no such words',
  ])
  const account = await runAccount(poolCaller(database.pool, { prepare: false, database: 'test' }), run!.id)
  expect(tellAccount(account)).toContain('speak: 2 log lines were dropped here: the database refused')
})

test('lines that are logged while the database is away are in the account when it is back', async () => {
  const proxy = await openProxy(database.url)
  const cut = pipeline('cut').step('speak', ({ log }) => {
    proxy.refuse()
    proxy.cut()
    log('while it was away')
  })
  await opened.worker({ pipelines: [cut], database: proxy.through(database.url) })
  const client = opened.client()
  const { run } = await client.start(cut, null)
  await until('the worker has noticed', async () =>
    opened.log.some(({ message }) => message.startsWith("The database can't be used at present")),
  )
  proxy.heal()
  await client.run(run!).result()
  const lines = await linesOf(run!.id)
  expect(lines.length).toBeGreaterThan(0)
  for (const { message } of lines) expect(message).toBe('while it was away')
  await opened.close()
  await proxy.close()
})
