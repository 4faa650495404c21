// Owns the description of the API as OpenAPI 3.1: written from the same operations that are served, so that what validates is what documents.
import { z } from 'zod'
import type { ErrorCode } from '../core/errors.ts'
import { asksFirst, isAgentOperation } from './agent-operations.ts'
import { askedAnswer } from './agent-requests.ts'
import type { Operation } from './operation.ts'
import { commonCodes, problem, repeatCodes, statusByCode } from './problem.ts'

type Json = Record<string, unknown>

export interface ApiInfo {
  readonly version: string
  /** Where it is served, below the address of the server; '' for its root. */
  readonly basePath: string
}

/** OpenAPI Specification 3.1.1, whose schemas are JSON Schema 2020-12. */
export function describeOperations(operations: readonly Operation[], info: ApiInfo): Json {
  const schemas = new SchemaBook()
  const paths: Record<string, Json> = {}
  for (const one of operations) {
    const path = (paths[one.path] ??= {})
    path[one.method] = operationOf(one, schemas)
  }
  const tags = [...new Set(operations.map(({ tag }) => tag))]
  return {
    openapi: '3.1.1',
    info: {
      title: 'Millrace',
      version: info.version,
      description: 'Durable pipelines that live in your own PostgreSQL and account for themselves.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: info.basePath === '' ? '/' : info.basePath }],
    tags: tags.map((name) => ({ name })),
    security: [{ key: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key, or a token for one run.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-millrace.session_token',
          description: 'Of somebody who is signed in.',
        },
      },
      schemas: schemas.all,
    },
  }
}

function operationOf(one: Operation, schemas: SchemaBook): Json {
  const parameters = [
    ...parametersOf('path', one.params, schemas),
    ...parametersOf('query', one.query, schemas),
    ...(one.revised === true ? [ifMatch] : []),
    ...(isKept(one) || one.ownIdempotency === 'handled' ? [idempotencyKey] : []),
  ]
  return {
    operationId: one.name,
    tags: [one.tag],
    summary: one.summary,
    ...(one.access === 'public' ? { security: [] } : { description: accessWords(one.access) }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(one.body === undefined
      ? {}
      : {
          requestBody: {
            required: !z.safeParse(one.body, {}).success,
            content: { 'application/json': { schema: schemas.of(one.body, 'input') } },
          },
        }),
    responses: {
      [one.status]: successOf(one, schemas),
      ...(isAgentOperation(one) && asksFirst(one) ? { 202: asked(schemas) } : {}),
      ...problemsOf(one, schemas),
    },
  }
}

/** Whether what is answered to an idempotency key is kept outside of its handler. */
function isKept({ method, access, ownIdempotency }: Operation): boolean {
  return method === 'post' && access !== 'public' && ownIdempotency === undefined
}

function asked(schemas: SchemaBook): Json {
  return {
    description: 'To an agent: nothing was done yet, a person is asked.',
    content: { 'application/json': { schema: schemas.of(askedAnswer, 'output') } },
  }
}

function accessWords({ role, scope }: Exclude<Operation['access'], 'public'>): string {
  const key = scope === null ? '' : `, or a key with the scope ${scope}`
  return `Takes the role ${role}${key}.`
}

const ifMatch = {
  name: 'If-Match',
  in: 'header',
  description: 'The revision that you saw, in quotes: another one since is answered 409.',
  schema: { type: 'string', pattern: '^("\\d{1,9}"|\\*)$' },
}
const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Sent again with the same key it is the same request, and gets the same answer.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
}

function parametersOf(where: 'path' | 'query', shape: z.ZodObject | undefined, schemas: SchemaBook): Json[] {
  return Object.entries(shape?.shape ?? {}).map(([name, schema]) => {
    const { description, ...written } = schemas.of(schema as z.ZodType, 'input')
    const required = where === 'path' || !z.safeParse(schema as z.ZodType, undefined).success
    return {
      name,
      in: where,
      required,
      ...(description === undefined ? {} : { description }),
      schema: written,
    }
  })
}

function successOf(one: Operation, schemas: SchemaBook): Json {
  const description = one.status === 201 ? 'Made.' : one.status === 202 ? 'Taken.' : 'Done.'
  if (one.answer !== undefined)
    return { description, content: { 'application/json': { schema: schemas.of(one.answer, 'output') } } }
  if (one.media === undefined) return { description }
  return {
    description,
    content: { [one.media]: one.events === undefined ? {} : { schema: eventsOf(one.events, schemas) } },
  }
}

/** OpenAPI 3.1 has no words of its own for the events of a stream: the schema is that of the data of one event. */
function eventsOf(events: NonNullable<Operation['events']>, schemas: SchemaBook): Json {
  return {
    description: `The data of one event: ${Object.keys(events).join(', ')}, in the order of these schemas.`,
    anyOf: Object.values(events).map((schema) => schemas.of(schema, 'output')),
  }
}

/** Its own errors and those of every operation, by their status. */
function problemsOf(one: Operation, schemas: SchemaBook): Json {
  const byStatus = new Map<number, ErrorCode[]>()
  const bodies: readonly ErrorCode[] = one.body === undefined ? [] : ['json_invalid']
  for (const code of new Set([
    ...commonCodes,
    ...bodies,
    ...(one.errors ?? []),
    ...(isKept(one) ? repeatCodes : []),
  ])) {
    const status = statusByCode[code] ?? 500
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const entries = [...byStatus].sort(([before], [after]) => before - after)
  return Object.fromEntries(
    entries.map(([status, codes]) => [
      String(status),
      {
        description: codes.join(', '),
        content: {
          'application/problem+json': { schema: schemas.of(problem, 'output') },
          ...(status === 503 && one.unwell === true && one.answer !== undefined
            ? { 'application/json': { schema: schemas.of(one.answer, 'output') } }
            : {}),
        },
      },
    ]),
  )
}

/** The schemas that have a name, each written once, and referred to from everywhere else. */
class SchemaBook {
  readonly all: Record<string, Json> = {}

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const {
      $schema: _,
      $defs = {},
      ...written
    } = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      // An answer may grow: who reads it must not be told that it never will.
      override: ({ jsonSchema }) => {
        if (io === 'output' && jsonSchema.additionalProperties === false)
          delete jsonSchema.additionalProperties
      },
    })
    const names = new Map<string, string>()
    for (const name of Object.keys($defs)) names.set(name, this.#nameOf(name, $defs[name] as Json))
    for (const [name, definition] of Object.entries($defs))
      this.all[names.get(name)!] = referring(withoutId(definition), names) as Json
    const own = typeof written['id'] === 'string' ? written['id'] : undefined
    const plain = referring(withoutId(written), names) as Json
    if (own === undefined) return plain
    const name = this.#nameOf(own, plain)
    this.all[name] = plain
    return { $ref: `#/components/schemas/${name}` }
  }

  /** What is sent may differ from what is answered: then it has a name of its own. */
  #nameOf(name: string, definition: Json): string {
    const known = this.all[name]
    if (known === undefined) return name
    return JSON.stringify(shapeOf(known)) === JSON.stringify(shapeOf(withoutId(definition)))
      ? name
      : `${name}Sent`
  }
}

function shapeOf({ type, required, properties }: Json): unknown {
  return [
    type,
    required,
    Object.keys(properties ?? {}),
    JSON.stringify(properties ?? {}).includes('"default"'),
  ]
}

function withoutId(schema: Json): Json {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== 'id'))
}

/** The same with each reference pointing where OpenAPI keeps schemas. */
function referring(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => referring(item, names))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const target =
        key === '$ref' && typeof item === 'string' ? /^#\/\$defs\/(.+)$/.exec(item)?.[1] : undefined
      return [
        key,
        target === undefined ? referring(item, names) : `#/components/schemas/${names.get(target) ?? target}`,
      ]
    }),
  )
}
