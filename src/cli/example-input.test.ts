// The example of an input, from the schemas that people write.
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { exampleInput } from './example-input.ts'

test('an input that fits is read off a schema of zod', () => {
  const schema = z.object({
    name: z.string().default('Ada'),
    state: z.string().length(2),
    kind: z.enum(['small', 'large']),
    size: z.number().min(3),
    many: z.array(z.string()),
    some: z.array(z.object({ sku: z.string() })).min(2),
    deep: z.object({ yes: z.boolean(), fixed: z.literal(7) }),
    any: z.unknown(),
  })
  const example = exampleInput(schema)
  expect(example).toBe(
    '{"name":"Ada","state":"ex","kind":"small","size":3,"many":[],"some":[{"sku":"example"},{"sku":"example"}],"deep":{"yes":true,"fixed":7},"any":null}',
  )
  expect(schema.safeParse(JSON.parse(example)).success).toBe(true)
})

test('without a schema there is no input, and one that cannot be read is left to the reader', () => {
  expect(exampleInput(undefined)).toBe('')
  expect(exampleInput(v.object({ name: v.string() }))).toBe('{…}')
})
