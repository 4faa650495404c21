// Tests of the validation by zod, valibot and arktype.
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isSchema, type Schema, validate } from './standard-schema.ts'

const what = "The input of pipeline 'sweep'"
const asInput = { code: 'input_invalid', what } as const

const schemas: [string, Schema][] = [
  ['zod', z.object({ lines: z.array(z.object({ price: z.number() })) })],
  ['valibot', v.object({ lines: v.array(v.object({ price: v.number() })) })],
  ['arktype', type({ lines: type({ price: 'number' }).array() })],
  [
    'zod, asynchronously',
    z.object({ lines: z.array(z.object({ price: z.number() })) }).refine(async () => true),
  ],
]

describe.each(schemas)('%s', (_, schema) => {
  test('lets a value through that fits', async () => {
    expect(await validate(schema, { lines: [{ price: 1 }] }, asInput)).toEqual({ lines: [{ price: 1 }] })
  })

  test('names the path of what does not fit', async () => {
    await expect(validate(schema, { lines: [{ price: 1 }, { price: 'x' }] }, asInput)).rejects.toMatchObject({
      code: 'input_invalid',
      message: expect.stringMatching(
        /^The input of pipeline 'sweep' does not fit its schema: lines\[1\]\.price: /,
      ) as string,
      fields: { issues: [{ path: 'lines[1].price' }] },
    })
  })

  test('is known as a schema', () => {
    expect(isSchema(schema)).toBe(true)
  })
})

test('the value is what the schema makes of it', async () => {
  const schema = z.object({ n: z.string().transform(Number), page: z.number().default(1) })
  expect(await validate(schema, { n: '7' }, asInput)).toEqual({ n: 7, page: 1 })
})

test('of many problems the message tells five, the fields all', async () => {
  const schema = z.array(z.number())
  const refused = validate(schema, ['a', 'b', 'c', 'd', 'e', 'f', 'g'], {
    code: 'output_invalid',
    what: 'The output',
  })
  await expect(refused).rejects.toMatchObject({
    code: 'output_invalid',
    message: expect.stringMatching(/; and 2 more\.$/) as string,
  })
  await expect(refused).rejects.toMatchObject({ fields: { issues: { length: 7 } } })
})

test.each([null, undefined, {}, () => 1, 'schema', { '~standard': {} }])('%j is no schema', (value) => {
  expect(isSchema(value)).toBe(false)
})
