// Owns the cursors of lists: where a page ended, as a text that callers only pass on.
import { time } from '../api/values.ts'
import { MillraceError } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import { type Place, withoutPosition } from '../db/list-bounds.ts'

/** @param position what the next page begins behind: values of the order's columns */
export function cursorOf(position: readonly (string | number | null)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** The position of a cursor, of as many texts, ids and whole numbers as were put in; undefined for the first page. @throws MillraceError request_invalid */
export function positionOf(
  cursor: string | undefined,
  parts: ReadonlyArray<keyof typeof fitting>,
): unknown[] | undefined {
  if (cursor === undefined) return undefined
  const position = parsed(cursor)
  const fits =
    Array.isArray(position) &&
    position.length === parts.length &&
    parts.every((part, index) => fitting[part](position[index]))
  if (fits) return position as unknown[]
  throw new MillraceError(
    'request_invalid',
    'The cursor is none of this list: pass on the next of the page before.',
  )
}

/** A cursor is somebody's text until it was read: the database gets only what it can take. */
const fitting = {
  text: (value: unknown) => typeof value === 'string' && !value.includes('\u0000'),
  number: (value: unknown) => Number.isSafeInteger(value),
  /** Among the items of a map. */
  place: (value: unknown) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
  uuid: (value: unknown) => typeof value === 'string' && isUuid(value),
  // As cursors are made: other zones and the year 0 are none of PostgreSQL's.
  time: (value: unknown) =>
    typeof value === 'string' && /^(?!0000).*Z$/.test(value) && time.safeParse(value).success,
} as const

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

/** Where a page of a list by time ended. @throws MillraceError request_invalid */
export function placeOf(cursor: string | undefined): Place | undefined {
  return positionOf(cursor, ['time', 'uuid']) as Place | undefined
}

/** A page of a list by time. Its rows are told without their positions. */
export function pageByTime<Row extends { readonly id: string; readonly position: string }>(
  rows: readonly Row[],
  limit: number,
): { readonly items: ReadonlyArray<Omit<Row, 'position'>>; readonly next: string | null } {
  const page = pageOfRows(rows, limit, ({ position, id }) => [position, id])
  return { ...page, items: page.items.map(withoutPosition) }
}

/** A page out of one row more than it holds: the surplus says that there is a next one. */
export function pageOfRows<Row>(
  rows: readonly Row[],
  limit: number,
  position: (last: Row) => readonly (string | number | null)[],
): { readonly items: readonly Row[]; readonly next: string | null } {
  if (rows.length <= limit) return { items: rows, next: null }
  const items = rows.slice(0, limit)
  return { items, next: cursorOf(position(items.at(-1)!)) }
}
