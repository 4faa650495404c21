// Owns schemas: any library that speaks Standard Schema (zod, valibot, arktype, …), their types, and the validation.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { formatPath } from '../core/json.ts'
import { MillraceError } from '../core/errors.ts'

export type Schema = StandardSchemaV1

/** What a caller may pass. */
export type SchemaInput<S extends Schema> = StandardSchemaV1.InferInput<S>

/** What the schema makes of it. */
export type SchemaOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>

export interface ValueProblem {
  /** Where in the value, like lines[3].price; empty for the value itself. */
  readonly path: string
  readonly message: string
}

const problemsShown = 5

/**
 * What the schema makes of a value. `what` names the value in the error: "The input of pipeline 'territory-sweep'".
 * @throws MillraceError with the given code and every problem, with its path, in fields.issues
 */
export async function validate<S extends Schema>(
  schema: S,
  value: unknown,
  {
    code,
    what,
  }: { readonly code: 'input_invalid' | 'output_invalid' | 'signal_invalid'; readonly what: string },
): Promise<SchemaOutput<S>> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(problemOf)
  const shown = issues
    .slice(0, problemsShown)
    .map(({ path, message }) => (path ? `${path}: ${message}` : message))
  const more = issues.length > problemsShown ? `; and ${issues.length - problemsShown} more` : ''
  throw new MillraceError(code, `${what} does not fit its schema: ${shown.join('; ')}${more}.`, {
    fields: { issues },
  })
}

/** Whether a value speaks Standard Schema; arktype's schemas are functions. */
export function isSchema(value: unknown): value is Schema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard: unknown = Reflect.get(value, '~standard')
  return (
    typeof standard === 'object' &&
    standard !== null &&
    typeof Reflect.get(standard, 'validate') === 'function'
  )
}

function problemOf(issue: StandardSchemaV1.Issue): ValueProblem {
  const path = (issue.path ?? []).map((segment) => {
    const key = typeof segment === 'object' ? segment.key : segment
    return typeof key === 'number' ? key : String(key)
  })
  return { path: formatPath(path), message: issue.message.replace(/[.\s]+$/, '') }
}
