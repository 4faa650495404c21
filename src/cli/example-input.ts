// Owns an example of what a pipeline takes, read off its schema, so that the first start can be copied.
import { z } from 'zod'
import type { Schema } from '../sdk/standard-schema.ts'

interface JsonSchema {
  readonly type?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
}

/** The JSON of an input that fits, as far as the schema tells: '' where there is none, '{…}' where it can't be read. */
export function exampleInput(schema: Schema | undefined): string {
  if (schema === undefined) return ''
  try {
    // Other libraries than zod, and what JSON Schema has no words for, are refused with an error.
    return JSON.stringify(exampleOf(z.toJSONSchema(schema as never, { io: 'input' }) as JsonSchema))
  } catch {
    return '{…}'
  }
}

/** The command that starts a run with this example. */
export function startLine(slug: string, example: string): string {
  return `npx millrace run start ${slug}${example === '' ? '' : ` ${shellQuoted(example)}`}`
}

/** The option by which other commands take it. */
export function inputOption(example: string): string {
  return `--input ${shellQuoted(example)}`
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function exampleOf(schema: JsonSchema): unknown {
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, value]) => [name, exampleOf(value)]),
      )
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () => exampleOf(schema.items ?? {}))
    case 'boolean':
      return true
    case 'number':
    case 'integer':
      return schema.minimum ?? 1
    case 'string':
      return 'example'.padEnd(schema.minLength ?? 0, 'x').slice(0, schema.maxLength ?? 40)
    default:
      return null
  }
}
