// The description of the API: every operation is in it, it points nowhere that isn't there, and it is OpenAPI 3.1 in what it says.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { operationList } from './catalogue.ts'
import { describeOperations } from './openapi.ts'
import { statusByCode } from './problem.ts'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly schema: unknown
}
interface Described {
  readonly operationId: string
  readonly parameters?: Parameter[]
  readonly responses: Record<string, { readonly description: string; readonly content?: object }>
  readonly security?: unknown[]
}

const description = describeOperations(operationList, { version: '1.2.3', basePath: '/api/millrace' })
const paths = description['paths'] as Record<string, Record<string, Described>>
const { schemas } = description['components'] as { schemas: Record<string, unknown> }
const described = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, one]) => ({ path, method, one })),
)

function everyObject(value: unknown, look: (object: Record<string, unknown>) => void): void {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) look(value as Record<string, unknown>)
  for (const item of Object.values(value)) everyObject(item, look)
}

test('JQ-24 every operation is described once, under its method, path and name: health, metrics, workers and dead letters too', () => {
  expect(description).toMatchObject({
    openapi: '3.1.1',
    info: { title: 'Millrace', version: '1.2.3' },
    servers: [{ url: '/api/millrace' }],
  })
  expect(described.length).toBe(operationList.length)
  for (const { name, method, path } of operationList) expect(paths[path]?.[method]?.operationId).toBe(name)
  expect(new Set(described.map(({ one }) => one.operationId)).size).toBe(described.length)
  for (const path of ['/health', '/metrics', '/admin/workers', '/dead-letters'])
    expect(paths[path]?.['get'], path).toBeDefined()
})

test('what is told as 503 as well is described as that', () => {
  for (const path of ['/health', '/health/ready'])
    expect(Object.keys(paths[path]?.['get']?.responses['503']?.content ?? {})).toEqual([
      'application/problem+json',
      'application/json',
    ])
})

test('a stream says what the data of each of its events is', () => {
  for (const [path, names] of [
    ['/runs/{run}/events', ['RunEvent', 'PartEvent', 'EndEvent']],
    ['/runs/events', ['RunsEvent', 'ChangedEvent']],
    ['/queues/{queue}/events', ['QueueEvent']],
  ] as const)
    expect(paths[path]?.['get']?.responses['200']?.content).toMatchObject({
      'text/event-stream': {
        schema: { anyOf: names.map((name) => ({ $ref: `#/components/schemas/${name}` })) },
      },
    })
})

test('each reference leads to a schema, and each schema can be read as JSON Schema', () => {
  let references = 0
  everyObject(description, ({ $ref }) => {
    if (typeof $ref !== 'string') return
    references++
    const name = /^#\/components\/schemas\/(\w+)$/.exec($ref)?.[1]
    expect(schemas[name ?? ''], $ref).toBeDefined()
  })
  expect(references).toBeGreaterThan(operationList.length)
  const inlined = (value: unknown, depth = 0): unknown => {
    if (Array.isArray(value)) return value.map((item) => inlined(item, depth))
    if (typeof value !== 'object' || value === null) return value
    const { $ref, ...rest } = value as Record<string, unknown>
    if (typeof $ref === 'string') return depth > 8 ? {} : inlined(schemas[$ref.split('/').at(-1)!], depth + 1)
    return Object.fromEntries(Object.entries(rest).map(([name, item]) => [name, inlined(item, depth)]))
  }
  for (const [name, schema] of Object.entries(schemas))
    expect(() => z.fromJSONSchema(inlined(schema) as z.core.JSONSchema.JSONSchema), name).not.toThrow()
})

test('the parameters of each path are those that its braces name, and they are required', () => {
  for (const { path, one } of described) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = (one.parameters ?? []).filter((parameter) => parameter.in === 'path')
    expect(declared.map(({ name }) => name).sort(), path).toEqual([...named].sort())
    expect(
      declared.every(({ required }) => required),
      path,
    ).toBe(true)
    const all = (one.parameters ?? []).map((parameter) => `${parameter.in} ${parameter.name}`)
    expect(new Set(all).size, path).toBe(all.length)
  }
})

test('what an agent is answered where a person is asked first is described beside what the operation answers', () => {
  const asking = described.filter(({ one }) =>
    JSON.stringify(one.responses['202'])?.includes('AgentRequestAsked'),
  )
  const names = asking.map(({ one }) => one.operationId)
  expect(names).toEqual(expect.arrayContaining(['startRun', 'cancelRun', 'defineSchedule', 'removeWatch']))
  for (const name of [
    'listRuns',
    'planRedrive',
    'setSecret',
    'approveAgentRequest',
    'createApiKey',
    'signIn',
  ])
    expect(names).not.toContain(name)
})

test('an idempotency key is described where it is heeded, and nowhere else', () => {
  const heeding = described
    .filter(({ one }) => one.parameters?.some(({ name }) => name === 'Idempotency-Key'))
    .map(({ one }) => one.operationId)
  expect(heeding).toEqual(
    expect.arrayContaining(['startRun', 'startMany', 'cancelRun', 'approveAgentRequest']),
  )
  for (const name of ['changePassword', 'signOut', 'serveMcp', 'signIn', 'listRuns'])
    expect(heeding).not.toContain(name)
})

test('each operation tells a success and its problems, and whether it takes a credential', () => {
  for (const operation of operationList) {
    const { responses, security } = paths[operation.path]![operation.method]!
    expect(Object.keys(responses)).toContain(String(operation.status))
    for (const code of operation.errors ?? [])
      expect(responses[String(statusByCode[code])]?.description, `${operation.name} ${code}`).toContain(code)
    expect(security === undefined).toBe(operation.access !== 'public')
  }
})
