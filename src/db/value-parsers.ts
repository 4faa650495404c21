// How column values of PostgreSQL become JavaScript values on every connection of Millrace.
import pg from 'pg'

const INT8 = 20
const INT8_ARRAY = 1016

/**
 * int8 becomes a number where a number can hold it, and a bigint beyond; everything else is as the driver
 * reads it (timestamptz a Date, json and jsonb parsed, numeric a string).
 */
export const valueParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary')
    if (oid === INT8) return parseInt8
    if (oid === INT8_ARRAY) return parseInt8Array
    return pg.types.getTypeParser(oid, 'text')
  }) as typeof pg.types.getTypeParser,
}

function parseInt8(text: string): number | bigint {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}

type TypeNumber = Parameters<typeof pg.types.getTypeParser>[0]

// The driver knows this number, its types do not.
const parseTextArray: (text: string) => unknown[] = pg.types.getTypeParser(INT8_ARRAY as TypeNumber, 'text')

function parseInt8Array(text: string): unknown[] {
  return parseTextArray(text).map(parseInt8Element)
}

// An array may hold nulls, and arrays of arrays come nested.
function parseInt8Element(element: unknown): unknown {
  if (Array.isArray(element)) return element.map(parseInt8Element)
  return typeof element === 'string' ? parseInt8(element) : element
}
