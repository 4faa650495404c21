// Values that make no sense in the bodies and queries of every operation: quoted or refused, and never more. Made from the schemas, so that none is forgotten.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operationList } from '../src/api/catalogue.ts'
import type { Operation } from '../src/api/operation.ts'
import type { ServerLogEntry } from '../src/server/server-log.ts'
import type { Server } from '../src/server/server.ts'
import { type Asker, type Askers, askFor, openMatrix } from './matrix-askers.ts'
import { seedThings } from './matrix-things.ts'
import { openMillrace } from './millrace.ts'

const { database, opened } = await openMillrace()
const log: ServerLogEntry[] = []
let server: Server
let askers: Askers
let things: Readonly<Record<string, string>>

beforeAll(async () => {
  things = { ...(await seedThings(database, opened)) }
  ;({ server, askers } = await openMatrix(database, log))
})
afterAll(() => server.close())

/** As much of a schema as is looked at here. */
interface Schema {
  readonly def: {
    readonly type: string
    readonly shape?: Readonly<Record<string, Schema>>
    readonly innerType?: Schema
    readonly element?: Schema
    readonly valueType?: Schema
    readonly in?: Schema
    readonly options?: readonly Schema[]
    readonly entries?: Readonly<Record<string, string>>
    readonly values?: readonly unknown[]
  }
  safeParse(value: unknown): { readonly success: boolean }
}

const texts = [
  'matrix-own',
  '018f0000-0000-7000-8000-000000000000',
  '2030-01-01T00:00:00Z',
  'https://example.org/here',
  'ann@example.org',
  'a'.repeat(64),
  'a'.repeat(43),
  '* * * * *',
  'UTC',
]
const numbers = [1, 60, 5, 1_000, 60_000]

/** Something that a schema takes, with each of these optional fields of its outermost object. */
function sample(schema: Schema, optional: (name: string) => boolean): unknown {
  const { def } = schema
  const inner = (one: Schema) => sample(one, () => true)
  switch (def.type) {
    case 'string':
      return texts.find((one) => schema.safeParse(one).success) ?? ''
    case 'number':
      return numbers.find((one) => schema.safeParse(one).success) ?? 0
    case 'boolean':
      return true
    case 'enum':
      return Object.values(def.entries!)[0]
    case 'literal':
      return def.values![0]
    case 'array':
      return [inner(def.element!)]
    case 'record':
      return { name: inner(def.valueType!) }
    case 'union':
      return inner(def.options![0]!)
    case 'object':
      return Object.fromEntries(
        Object.entries(def.shape!)
          .filter(([name, field]) => !isOptional(field) || optional(name))
          .map(([name, field]) => [name, inner(field)]),
      )
    case 'optional':
    case 'nullable':
    case 'default':
      return inner(def.innerType!)
    case 'pipe':
      return inner(def.in!)
    default:
      return { any: 'thing' }
  }
}

function isOptional({ def }: Schema): boolean {
  return def.type === 'optional' || def.type === 'default'
}

/** Bodies with little in them and bodies with much: what is given alone is refused elsewhere than what comes along. */
function samples(schema: Schema): unknown[] {
  const { def } = schema
  if (def.type === 'union') return def.options!.flatMap((one) => samples(one))
  if (def.type !== 'object') return [sample(schema, () => true)]
  const optional = Object.keys(def.shape!).filter((name) => isOptional(def.shape![name]!))
  return [
    sample(schema, () => true),
    ...optional.map((name) => sample(schema, (one) => one === name)),
    sample(schema, () => false),
  ]
}

const hostileTexts = [
  'a\u0000b',
  'a\uD800b',
  '',
  'n'.repeat(64),
  'n'.repeat(5_000),
  "'; select 1/0; --",
  '%s%n',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999+23:59',
  '2030-01-01T00:00:00+23:59',
  '018f0000-0000-1000-8000-000000000000',
  '00000000-0000-0000-0000-000000000000',
  '{a,b}',
  '$.a',
]
const hostileNumbers = [0, -1, 0.5, 1e-300, 2_147_483_647, 2_147_483_648, 9_007_199_254_740_991, 1e21, 1e308]
const hostileThings = [
  null,
  { a: 'b\u0000c' },
  { 'b\u0000c': 1 },
  { a: 'b\uD800c' },
  'a\u0000b',
  '\uDC00',
  1e308,
  [],
  {},
  true,
]

/** Each value with one of its leaves replaced by each hostile one. */
function* mutated(value: unknown): Generator<unknown> {
  if (typeof value === 'string') yield* [...hostileTexts, { a: 'b\u0000c' }]
  else if (typeof value === 'number') yield* hostileNumbers
  else if (Array.isArray(value)) {
    yield []
    yield [...value, ...value]
    for (const item of mutated(value[0])) yield [item]
  } else if (typeof value === 'object' && value !== null) {
    if ('any' in value) yield* hostileThings
    for (const [name, one] of Object.entries(value))
      for (const other of mutated(one)) yield { ...value, [name]: other }
    for (const name of ['a\u0000b', 'a\uD800b']) yield { ...value, [name]: Object.values(value)[0] ?? 1 }
  }
}

function pathOf(operation: Operation): string {
  return operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const shape = operation.params?.shape[name] as Schema
    const found = [things[name], '018f0000-0000-7000-8000-000000000000', 'matrix', '1', ...texts].find(
      (one) => one !== undefined && shape.safeParse(one).success,
    )
    return encodeURIComponent(found!)
  })
}

/** So many at a time: they are many, and each is short. */
const atOnce = 8

async function failuresOf(asker: Asker): Promise<string[]> {
  const wrong: string[] = []
  for (const operation of operationList.filter(
    ({ method, body }) => method !== 'get' && body !== undefined,
  )) {
    const path = pathOf(operation)
    const bodies = samples(operation.body as unknown as Schema).flatMap((one) => [one, ...mutated(one)])
    const ask = async (): Promise<void> => {
      for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
        const response = await askFor(server, asker, operation, path, body as object)
        const text = await response.text()
        if (response.status === 500)
          wrong.push(`${operation.name} ${JSON.stringify(body).slice(0, 200)}: ${text.slice(0, 300)}`)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, ask))
  }
  return wrong
}

test('PP-S12 H7 no value in a body makes the server fail', { timeout: 300_000 }, async () => {
  log.length = 0
  const wrong = await failuresOf(askers.admin)
  const errors = log.filter(({ event }) => event === 'request.failed')
  expect(wrong).toEqual([])
  expect(errors).toEqual([])
})
