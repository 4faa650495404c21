// Owns the check of inputs by the schemas of the pipelines that the server's own code has.
import { validate } from '../sdk/standard-schema.ts'
import type { ServerRoom } from './room.ts'

/**
 * What the pipeline's schema makes of an input; the input itself where this server's code has no such pipeline or that has no schema.
 * Of one that was not given, what the schema makes of nothing, of null or of {}, whichever it takes first.
 * @throws MillraceError input_invalid
 */
export async function checkedInput(
  { pipelines }: ServerRoom,
  slug: string,
  input: unknown,
): Promise<unknown> {
  const schema = pipelines.find((pipeline) => pipeline.slug === slug)?.inputSchema
  if (schema === undefined) return input
  const what = { code: 'input_invalid', what: `The input of pipeline '${slug}'` } as const
  if (input !== undefined) return validate(schema, input, what)
  for (const stand of [undefined, null]) {
    const { issues } = await schema['~standard'].validate(stand)
    if (issues === undefined) return validate(schema, stand, what)
  }
  // What {} is refused for names the fields that are missing.
  return validate(schema, {}, what)
}
