// A schedule from its slot to its verified outcome, by a worker as it is, with an address outside that hears of it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tellAccount } from '../src/core/account.ts'
import { runAccount } from '../src/db/accounts.ts'
import { poolCaller } from '../src/db/call.ts'
import { pipeline } from '../src/sdk/pipeline.ts'
import { schedule } from '../src/sdk/schedule.ts'
import { until } from './deadline.ts'
import { openMillrace } from './millrace.ts'

const { database, opened } = await openMillrace()
const encryptionKeys = { one: Buffer.alloc(32, 7).toString('base64') }

let origin: string
const heard: URL[] = []
const server = createServer((request, response) => {
  heard.push(new URL(request.url ?? '/', origin))
  request.resume()
  response.end('OK')
})

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await database.query('create table report (run_id text, lines int)')
  await database.query(`grant select, insert on report to public`)
})
afterAll(() => server.close())

const firings = (name: string) =>
  database.query<{ run_id: string; state: string; verification: Record<string, unknown> | null }>(
    `select f.run_id, f.state, f.verification from millrace.firing f join millrace.schedule s on s.id = f.schedule_id
      where s.name = $1 order by f.id`,
    [name],
  )

test('RR-1 RR-2 a run that wrote what is expected is verified and told outside; one that ended well and wrote nothing is not', async () => {
  const client = opened.client({ encryptionKeys })
  await client.secrets.set('check', { value: `${origin}/check` })
  const writes = pipeline('writes').step('write', { writes: true }, async ({ sql, run }) => {
    await sql`insert into report values (${run.id}, 3)`
    return { lines: 3 }
  })
  const forgets = pipeline('forgets').step('write', () => ({ lines: 3 }))
  const expectation = {
    query: `select sum(lines) = ($3 ->> 'lines')::int from report where run_id = $2::text`,
    within: '1s',
  } as const
  const conditions = { every: '1h', from: new Date(Date.now() - 1_800_000), expect: expectation } as const
  await opened.worker({
    pipelines: [writes, forgets],
    triggers: [
      schedule('written', { pipeline: writes, ...conditions, ping: { secret: 'check' } }),
      schedule('forgotten', { pipeline: forgets, ...conditions, ping: { url: `${origin}/forgotten` } }),
    ],
    encryptionKeys,
    allowTargets: [origin],
  })
  await client.schedules.trigger('written')
  await client.schedules.trigger('forgotten')
  const [verified] = await until('the firing is verified', async () => {
    const rows = await firings('written')
    return rows[0]?.state === 'verified' ? rows : undefined
  })
  const [unverified] = await until('the other one is not', async () => {
    const rows = await firings('forgotten')
    return rows[0]?.state === 'unverified' ? rows : undefined
  })
  expect(verified!.verification).toMatchObject({ met: true, value: true })
  expect(unverified!.verification).toMatchObject({ met: false, value: null })
  await until('all of it is told outside', () => heard.length >= 4)
  const told = (path: string) =>
    heard.filter(({ pathname }) => pathname.startsWith(path)).map(({ pathname }) => pathname)
  expect(told('/check')).toEqual(['/check/start', '/check'])
  expect(told('/forgotten')).toEqual(['/forgotten/start', '/forgotten/fail'])
  expect(heard.find(({ pathname }) => pathname === '/check')!.searchParams.get('rid')).toBe(verified!.run_id)
  const account = await runAccount(
    poolCaller(database.pool, { prepare: false, database: 'test' }),
    unverified!.run_id,
  )
  expect(tellAccount(account).replaceAll(/\s+/g, ' ')).toContain(
    'millrace did not find what its schedule expects of it',
  )
})
