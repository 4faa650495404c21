// Every route of the API as everybody: generated from the operations, so that none is forgotten. Who may is answered before anything else of a request,
// so a query that no operation knows tells "may" (400) from "may not" without doing anything.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { reaches, scopesOf } from '../src/api/access.ts'
import { operationList, operations } from '../src/api/catalogue.ts'
import type { Operation } from '../src/api/operation.ts'
import type { ServerLogEntry } from '../src/server/server-log.ts'
import { routes } from '../src/server/routes.ts'
import type { Server } from '../src/server/server.ts'
import { type Asker, type Askers, askFor, openMatrix } from './matrix-askers.ts'
import { canary, seedThings, type Things } from './matrix-things.ts'
import { openMillrace } from './millrace.ts'

const { database, opened } = await openMillrace()
const log: ServerLogEntry[] = []
let server: Server
let askers: Askers
let things: Things

beforeAll(async () => {
  const seeded = await seedThings(database, opened)
  ;({ server, askers } = await openMatrix(database, log))
  const { headers } = askers['key of tenant B']
  const filter = { pipeline: 'matrix-own', tenant: 'tenant-b' }
  const redriven = await askFor(server, { headers }, operations.startRedrive, '/redrives', {
    filter,
    reason: canary,
  })
  const agent = { headers: { ...headers, 'millrace-agent': 'asks' } }
  const start = { pipeline: 'matrix-own', input: { canary } }
  const asked = await askFor(server, agent, operations.startRun, '/runs', start)
  things = {
    ...seeded,
    redrive: ((await redriven.json()) as { id: string }).id,
    agent_request: ((await asked.json()) as { agent_request: { id: string } }).agent_request.id,
  }
})
afterAll(() => server.close())

function ask(asker: Asker, operation: Operation, path: string, body: object = {}): Promise<Response> {
  return askFor(server, asker, operation, path, body)
}

/** What a path is asked for: B's things by their kinds, and something of the right shape for the rest. */
function pathOf(operation: Operation): string {
  return operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const known = (things as Record<string, string>)[name]
    const shape = operation.params?.shape[name] as { safeParse(value: unknown): { success: boolean } }
    const candidates = [
      known,
      '018f0000-0000-7000-8000-000000000000',
      'matrix',
      '1',
      'ann@example.org',
      'a'.repeat(43),
    ]
    const found = candidates.find((one) => one !== undefined && shape.safeParse(one).success)
    if (found === undefined) throw new Error(`Nothing here fits {${name}} of ${operation.path}.`)
    return encodeURIComponent(found)
  })
}

const may = 400

/** Where a provider sends a browser back, with whatever it likes to say. */
const takesMore = operationList.filter(({ query }) => query?.safeParse({ never: '1' }).success)
const isAsExpected = (operation: Operation, status: number, expected: number): boolean =>
  takesMore.includes(operation) && expected === may ? status !== 401 && status !== 403 : status === expected

/** What the access of an operation says. */
function expectedStatus({ access }: Operation, { role, bound, refused }: Asker): number {
  if (refused) return 401
  if (access === 'public') return may
  if (role === undefined) return 401
  if (!reaches(role, access.role)) return 403
  if (access.scope !== null && !scopesOf(role).includes(access.scope)) return 403
  if (bound === undefined || access.subject === 'nothing' || access.subject === 'list') return may
  if (access.subject === 'installation') return 403
  if (bound === 'other pipelines') return 404
  if (access.subject === 'pipeline') return access.scope?.endsWith(':read') === true ? may : 403
  return bound === 'tenant B' ? may : 404
}

test('each operation has its route, under its own name, verb and path', () => {
  expect(routes.map(({ operation }) => operation.name).sort()).toEqual(
    operationList.map(({ name }) => name).sort(),
  )
  for (const said of [
    operationList.map(({ name }) => name),
    operationList.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
  ])
    expect(said.filter((one, index) => said.indexOf(one) < index)).toEqual([])
})

test('K1 each route answers each of nobody, three roles, and keys of two tenants, of other pipelines, expired and revoked as its access says', async () => {
  const wrong: string[] = []
  let asked = 0
  for (const operation of operationList) {
    const answers = await Promise.all(
      Object.entries(askers).map(async ([name, asker]) => {
        const response = await ask(asker, operation, `${pathOf(operation)}?never=1`)
        return { name, asker, status: response.status, text: await response.text() }
      }),
    )
    asked += answers.length
    for (const { name, asker, status, text } of answers) {
      const expected = expectedStatus(operation, asker)
      if (!isAsExpected(operation, status, expected))
        wrong.push(`${operation.name} as ${name}: ${status} instead of ${expected}: ${text}`)
    }
  }
  expect(wrong).toEqual([])
  expect(takesMore.map(({ name }) => name)).toEqual(['finishProviderSignIn'])
  expect(Object.keys(askers)).toHaveLength(9)
  expect(asked).toBe(operationList.length * 9)
})

test('PP-S6 without a credential every route refuses, except for these', async () => {
  const open: string[] = []
  for (const operation of operationList) {
    const { status } = await ask(askers.anonymous, operation, `${pathOf(operation)}?never=1`)
    if (status !== 401) open.push(`${operation.method.toUpperCase()} ${operation.path}`)
  }
  expect(open).toMatchInlineSnapshot(`
    [
      "POST /auth/sign-in",
      "GET /auth/oidc",
      "GET /auth/oauth2/callback/oidc",
      "POST /auth/link/show",
      "POST /auth/link/use",
      "GET /auth/link",
      "GET /auth/link.js",
      "GET /health/live",
      "GET /health/ready",
      "GET /openapi.json",
      "GET /reference",
      "GET /reference/style.css",
    ]
  `)
})

test('K1 what is tenant B’s stands in no answer to a key of tenant A or of other pipelines', async () => {
  const named = Object.values(things).filter((one) => one !== 'matrix-own')
  const forbidden = [canary, 'tenant-b', ...named]
  const reads = operationList.filter(({ method }) => method === 'get')
  const everything: string[] = []
  const leaks: string[] = []
  for (const operation of reads) {
    const fields = Object.keys(operation.query?.shape ?? {})
    const filters = [
      '',
      ...(fields.includes('tenant') ? ['?tenant=tenant-b'] : []),
      ...(fields.includes('pipeline') ? ['?pipeline=matrix-own'] : []),
      ...(fields.includes('run') ? [`?run=${things.run}`] : []),
    ]
    for (const filter of filters) {
      const path = `${pathOf(operation)}${filter}`
      everything.push(await textOf(await ask(askers.admin, operation, path)))
      for (const name of ['key of tenant A', 'key of other pipelines'] as const) {
        const response = await ask(askers[name], operation, path)
        const text = await textOf(response)
        // A refusal may repeat what was asked for.
        const told = response.ok ? forbidden.filter((one) => text.includes(one)) : []
        if (told.length > 0) leaks.push(`${operation.name} ${filter} to the ${name}: ${told.join(', ')}`)
        if (response.status >= 500) leaks.push(`${operation.name} ${filter} to the ${name}: ${text}`)
      }
    }
  }
  expect(leaks).toEqual([])
  // Whoever may see all of it does: so there was something to be seen.
  for (const one of forbidden) expect(everything.some((text) => text.includes(one))).toBe(true)
})

const tenant = 'tenant-b'
const filter = { pipeline: 'matrix-own', tenant }

/** Of each change whose access names nothing: what tenant A asks for of tenant B. */
const bodies: Record<string, object> = {
  startRun: filter,
  startMany: { ...filter, inputs: [null] },
  ensureRun: filter,
  planRedrive: { filter },
  startRedrive: { filter },
  defineSchedule: { pipeline: 'matrix-own', every_ms: 60_000 },
  defineSubscription: { pipeline: 'matrix-own', event: canary },
  emit: { name: canary, tenant },
  invalidateCache: { scope: canary, tenant },
  approveAgentRequest: {},
  rejectAgentRequest: {},
}

test('K1 a key of tenant A that names what is tenant B’s in a body is refused, and nothing of it changes', async () => {
  // The tools of /mcp are operations again, each with its own access.
  const changes = operationList.filter(
    ({ name, access, method }) =>
      access !== 'public' && access.subject === 'list' && method !== 'get' && name !== 'serveMcp',
  )
  expect(changes.map(({ name }) => name).sort()).toEqual(Object.keys(bodies).sort())
  const before = await standing()
  for (const operation of changes) {
    const response = await ask(
      askers['key of tenant A'],
      operation,
      pathOf(operation),
      bodies[operation.name],
    )
    const text = await response.text()
    // A cache has no names to find: of another tenant's values none fit.
    const isRefused = operation.name === 'invalidateCache' ? text === '{"removed":0}' : !response.ok
    expect(isRefused, `${operation.name}: ${response.status} ${text}`).toBe(true)
    expect(response.status, `${operation.name}: ${text}`).toBeLessThan(500)
  }
  expect(await standing()).toEqual(before)
})

/** All that tables hold of tenant B, in short. */
async function standing(): Promise<unknown> {
  const tables = await database.query<{ name: string }>(
    `select c.table_name as name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = 'millrace' and c.column_name = 'tenant' and t.table_type = 'BASE TABLE' order by 1`,
  )
  const told: Record<string, unknown> = {}
  for (const { name } of tables)
    told[name] = await database.query(
      `select count(*)::int as n, md5(string_agg(t::text, '' order by t::text)) as digest from millrace.${name} t where tenant = 'tenant-b'`,
    )
  expect(told).toMatchObject({ run: [{ n: 3 }], schedule: [{ n: 1 }], cache_entry: [{ n: 1 }] })
  return told
}

/** Of a stream its first event, which the first look brings; of everything else all. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response.text()
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (!text.includes('event:')) {
    const { done, value } = await reader.read()
    if (done) return text
    text += decoder.decode(value as Uint8Array, { stream: true })
  }
  await reader.cancel()
  return text
}

test('the cursor of each list leads to its next page', async () => {
  const followed: string[] = []
  for (const operation of operationList.filter(({ query }) => query?.shape['cursor'] !== undefined)) {
    const path = `${pathOf(operation)}?limit=1`
    const first = await ask(askers.admin, operation, path)
    const page = (await first.json()) as { items: unknown[]; next: string | null }
    expect(first.status, `${operation.name}: ${JSON.stringify(page)}`).toBe(200)
    if (page.next === null) continue
    const second = await ask(askers.admin, operation, `${path}&cursor=${page.next}`)
    const { items } = (await second.json()) as { items: unknown[] }
    expect(items, operation.name).toHaveLength(1)
    expect(items).not.toEqual(page.items)
    followed.push(operation.name)
  }
  expect(followed).toEqual(expect.arrayContaining(['listRuns', 'listPipelines', 'listApiKeys']))
})

const hostileNames = [
  '"; drop table millrace.run; --',
  "'; select pg_sleep(10); --",
  'n'.repeat(64),
  'n'.repeat(1_000),
  '🙂',
  'آمین',
  'public.x',
  '"public.x"',
  '../../etc/passwd',
  'a\u0000b',
  '%',
  '{{7*7}}',
  // More than an integer of the database holds, and more than a bigint.
  '3000000000',
  '9'.repeat(19),
]

const forgedCursors = [
  ...hostileNames,
  ...[
    ['x'],
    ['x', 'y'],
    [1.5],
    [1e300],
    ['a\u0000b'],
    [null],
    [[['x']]],
    {},
    ['x'.repeat(300)],
    [1, 'x'],
    ['x', 1],
    ['018f0000-0000-7000-8000-000000000000'],
    ['2030-01-01T00:00:00Z', 'x'],
    ['2030-01-01T00:00:00+23:59', '018f0000-0000-7000-8000-000000000000'],
    ['0000-01-01T00:00:00Z', '018f0000-0000-7000-8000-000000000000'],
  ].map((position) => Buffer.from(JSON.stringify(position)).toString('base64url')),
]

test('PP-S12 H7 a filter that no list has is refused, and a value that makes no sense is quoted or refused: never more', async () => {
  log.length = 0
  const wrong: string[] = []
  const say = async (operation: Operation, path: string, allowed: (status: number) => boolean) => {
    const response = await ask(askers.admin, operation, path)
    const text = await textOf(response)
    if (!allowed(response.status)) wrong.push(`${operation.name} ${path}: ${response.status} ${text}`)
  }
  for (const operation of operationList.filter(({ method }) => method === 'get')) {
    await say(operation, `${pathOf(operation)}?order=id;drop`, (status) =>
      isAsExpected(operation, status, may),
    )
    for (const field of Object.keys(operation.query?.shape ?? {})) {
      const values = field === 'cursor' ? forgedCursors : hostileNames
      await Promise.all(
        values.map((value) =>
          say(
            operation,
            `${pathOf(operation)}?${field}=${encodeURIComponent(value)}`,
            (status) => status < 500,
          ),
        ),
      )
    }
  }
  for (const operation of operationList.filter(({ params }) => params !== undefined)) {
    const paths = hostileNames.map((value) =>
      operation.path.replaceAll(/\{\w+\}/g, encodeURIComponent(value)),
    )
    await Promise.all(paths.map((path) => say(operation, path, (status) => status < 500)))
  }
  expect(wrong).toEqual([])
  expect(log.filter(({ event }) => event === 'request.failed')).toEqual([])
})
