// Owns the input of a start as it is stored: what the schema of its pipeline makes of what was given.
import { validate } from './standard-schema.ts'
import type { Startable } from './startable.ts'

/** An input for a pipeline that is given by its name, or has no schema, is taken as it is. Asks nobody but the schema. @throws MillraceError input_invalid */
export async function checkedInput(pipeline: Startable, input: unknown): Promise<unknown> {
  if (typeof pipeline === 'string' || pipeline.inputSchema === undefined) return input ?? null
  return validate(pipeline.inputSchema, input, {
    code: 'input_invalid',
    what: `The input of pipeline '${pipeline.slug}'`,
  })
}
