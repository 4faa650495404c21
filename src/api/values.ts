// Owns the schemas of what stands in many operations: ids, names, times, JSON, pages.
import { z } from 'zod'
import { isUuid } from '../core/uuid.ts'

/** The id of a run or of something else that has a UUID; given in capital letters, it is read as the database writes it. */
export const uuid: z.ZodString = z
  .string()
  .max(36)
  .refine(isUuid, 'it is no id: 36 characters of a UUID')
  .toLowerCase()
  .meta({ format: 'uuid' })

/** A name that people gave: at most 200 characters, none of them a control character. */
export const name: z.ZodString = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'it holds a control character')

/** A text that a database can keep: of at most so many characters, none of them NUL. */
export function text(most: number, least = 1): z.ZodString {
  return z
    .string()
    .min(least)
    .max(most)
    .regex(/^[^\0]*$/, 'it holds a NUL character')
}

/** The name of a pipeline. */
export const slug: z.ZodString = z
  .string()
  .max(63)
  .regex(/^[a-z][a-z0-9-]*$/, 'it is no name of a pipeline: a letter, then letters, digits and hyphens')

/** A time as the API writes it, and reads it: ISO 8601 with a zone. */
export const time: z.ZodISODateTime = z.iso.datetime({ offset: true })

/** Whatever JSON holds. Its size and depth are checked where it is stored. */
export const json: z.ZodUnknown = z.unknown()

/** Why somebody did it; it stands in the account. */
export const reason: z.ZodOptional<z.ZodString> = text(1_000, 0).optional()

/** The name of a step. */
export const stepName: z.ZodString = z.string().min(1).max(63)

/** Whether payloads were left out of an answer, because whoever asks may not see them: they stand as null then. */
export const payloadsHidden: z.ZodOptional<z.ZodBoolean> = z
  .boolean()
  .optional()
  .describe('Payloads were left out: they take a right of their own.')

/** A whole number in the text of a URL. */
export function whole(min: number, max: number): z.ZodCoercedNumber {
  return z.coerce.number().int().min(min).max(max)
}

/** true or false in the text of a URL. */
export const flag: z.ZodPipe<
  z.ZodEnum<{ true: 'true'; false: 'false' }>,
  z.ZodTransform<boolean, 'true' | 'false'>
> = z.enum(['true', 'false']).transform((text) => text === 'true')

const pageSizeMax = 200

/** What every list takes: how many, and where the page before ended. */
export const pageQuery: { limit: z.ZodDefault<z.ZodCoercedNumber>; cursor: z.ZodOptional<z.ZodString> } = {
  limit: whole(1, pageSizeMax).default(50),
  cursor: z
    .string()
    .max(500)
    .regex(/^[A-Za-z0-9_-]+$/, 'it is no cursor: pass on the next of the page before')
    .optional(),
}

/** A page of a list. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; next: z.ZodNullable<z.ZodString> }> {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe('The cursor of the next page; null: there is none.'),
  })
}

/** What a change answers that may have nothing to change. */
export const changed: z.ZodObject<{ changed: z.ZodBoolean }> = z.object({
  changed: z.boolean().describe('false: it was so already.'),
})

/** What defining something answers. */
export const defined: z.ZodObject<{ revision: z.ZodInt }> = z.object({ revision: z.int() })

/** Who defined something, and how often it was changed. */
export const definition: {
  source: z.ZodEnum<{ code: 'code'; operator: 'operator' }>
  revision: z.ZodInt
  changed_at: z.ZodISODateTime
  changed_by: z.ZodString
} = {
  source: z.enum(['code', 'operator']).describe("Code leaves an operator's alone."),
  revision: z.int().describe('Rises with each change; send it as If-Match.'),
  changed_at: time,
  changed_by: z.string(),
}

/** Since when something is held back. */
export const paused: { paused_at: z.ZodNullable<z.ZodISODateTime> } = { paused_at: time.nullable() }
