// More than twenty secrets, each let slip by a handler in a way of its own: afterwards none of them stands in a table, a dump, a log line, a notification, or what
// other sessions see of the statements.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { StepContext } from '../src/sdk/context.ts'
import { pipeline } from '../src/sdk/pipeline.ts'
import { asOther, openMillrace } from './millrace.ts'

const { database, opened } = await openMillrace()
const encryptionKeys = { k1: randomBytes(32).toString('base64') }

type Context = StepContext<unknown, unknown>
type Slip = (value: string, context: Context) => unknown

const child = pipeline('canary-child', { input: z.object({ value: z.string() }) }).step(
  'only',
  ({ input }) => input,
)

/** Nobody answers there. */
const asking = { secret: 'MILLRACE_TEST_CANARY', timeout: '1s' } as const
beforeAll(() => {
  process.env['MILLRACE_TEST_CANARY'] = 'signs requests'
})
afterAll(() => {
  delete process.env['MILLRACE_TEST_CANARY']
})

/** What is thrown inside is the slip itself: the step goes on, but for the last one. */
const slips: Record<string, Slip> = {
  'a log line': (value, { log }) => log(`the key is ${value}`),
  'a field of a log line': (value, { log }) => log('fields', { deep: [{ value }] }),
  'the name of a field': (value, { log }) => log('names', { [value]: 1 }),
  'a note on progress': (value, { progress }) => progress(1, 2, `at ${value}`),
  metadata: (value, { setMetadata }) => setMetadata({ seen: { value } }),
  'a part of a stream': (value, { stream }) => stream.write({ value }),
  'the result of a durable operation': (value, { durable }) => durable.run('kept', () => ({ value })),
  'the error of a durable operation': (value, { durable }) =>
    durable.run('thrown', () => {
      throw new Error(`401 for ${value}`)
    }),
  'a cached value': (value, { cache }) => cache('of-canary', { ttl: '1h' }, () => ({ value })),
  'the key of a cached value': (value, { cache }) => cache({ value }, { ttl: '1h' }, () => 1),
  'the text of a query': (value, { sql }) => sql`select pg_sleep(0.05), ${value}::text`,
  'the error of a query': (value, { sql }) => sql`select ${value}::int`,
  'the address of a request': (value, { durable }) =>
    durable.http({ ...asking, as: 'asked', url: `http://127.0.0.1:1/?token=${value}` }),
  'the header of a request': (value, { durable }) =>
    durable.http({ ...asking, as: 'headed', url: 'http://127.0.0.1:1/', headers: { authorization: value } }),
  'the input of a called run': (value, { durable }) => durable.call(child, { value }, { detached: true }),
  'base64 in a log line': (value, { log }) => log(`Basic ${Buffer.from(`me:${value}`).toString('base64')}`),
  'an escaped address in a log line': (value, { log }) => log(`https://x/?t=${encodeURIComponent(value)}`),
  "the worker's own log": (value) => Promise.reject(new Error(`nobody hears ${value}`)).catch(() => {}),
  'the name of a lock': (value, { lock }) => lock(`of ${value}`, () => 1),
  'the name of an artifact': (value, { artifacts }) => artifacts.write(`of ${value}`, 'nothing'),
  'a label of a metric': (value, { metric }) => metric('calls', 1, { key: value }),
  'an output': () => null,
  'a dead letter': () => null,
}
const ways = Object.keys(slips)
const nameOf = (way: string) => `canary-${ways.indexOf(way)}`

async function allText(): Promise<string> {
  const { stdout } = await promisify(execFile)(
    'pg_dump',
    ['--data-only', '--inserts', '-n', 'millrace', database.url],
    {
      maxBuffer: 256 * 1_048_576,
    },
  ).catch(async () => ({ stdout: await tablesAsText() }))
  return stdout
}

/** Where the server's own program is not at hand: the same rows. */
async function tablesAsText(): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r'`,
  )
  const texts = await Promise.all(
    tables.map(({ name }) =>
      database.query<{ text: string | null }>(
        `select string_agg(t::text, E'\\n') as text from millrace."${name}" t`,
      ),
    ),
  )
  return texts.map(([row]) => row?.text ?? '').join('\n')
}

test('J4 twenty secrets and more that handlers let slip, each in another way, are found in no table, dump, log, notification or statement that others see', async () => {
  const values = new Map(
    ways.map((way) => [way, `canary/${ways.indexOf(way)}+${randomBytes(12).toString('hex')}`]),
  )
  expect(values.size).toBeGreaterThanOrEqual(20)
  const { secrets } = opened.client({ encryptionKeys })
  for (const [way, value] of values) await secrets.set(nameOf(way), { value })
  const slipped: string[] = []
  const loud = pipeline('canaries', { retry: { attempts: 1 } })
    .step('slip', { timeout: '50s' }, async (context) => {
      for (const way of ways) {
        const value = await context.secret(nameOf(way))
        try {
          await slips[way]!(value, context as unknown as Context)
        } catch (error) {
          // Whoever can't be reached is tried again: that would be a wait of its own.
          if ((error as { readonly name?: string }).name === 'AttemptAborted') throw error
        }
        slipped.push(way)
      }
      return { [values.get('an output')!]: values.get('an output') }
    })
    .step('fail', () => {
      throw Object.assign(new Error(`refused: ${values.get('a dead letter')}`), {
        code: values.get('a dead letter'),
        cause: new Error(values.get('a dead letter')),
      })
    })
  const listener = new pg.Client(database.url)
  const seen: string[] = []
  listener.on('notification', ({ payload }) => seen.push(payload ?? ''))
  listener.on('error', () => {})
  await listener.connect()
  for (const channel of ['millrace_wake', 'millrace_data', 'millrace_abort'])
    await listener.query(`listen ${channel}`)
  await opened.worker({ pipelines: [loud, child], encryptionKeys, log: (entry) => opened.log.push(entry) })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run } = await client.start(loud, null)
  let ended = false
  const watching = (async () => {
    while (!ended) {
      const rows = await database.query<{ query: string }>('select query from pg_stat_activity')
      seen.push(...rows.map(({ query }) => query))
    }
  })()
  const told = await client
    .run(run!)
    .result()
    .then(String, (error: Error) => `${error.message} ${JSON.stringify(error)}`)
  ended = true
  await watching
  await listener.end()
  // A request that waits for its answer lets the step begin again.
  expect([...new Set(slipped)]).toEqual(ways)
  expect(told).toContain('[secret ')
  const places = {
    dump: await allText(),
    log: JSON.stringify(opened.log),
    others: seen.join('\n'),
    result: told,
  }
  expect(places.dump).toContain('[secret ')
  const found = [...values].flatMap(([way, value]) =>
    [
      value,
      Buffer.from(`me:${value}`).toString('base64'),
      encodeURIComponent(value),
      JSON.stringify(value).slice(1, -1),
    ].flatMap((form) =>
      Object.entries(places).flatMap(([place, text]) => (text.includes(form) ? [`${way}: in ${place}`] : [])),
    ),
  )
  expect([...new Set(found)]).toEqual([])
})
