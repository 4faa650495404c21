// The rows of a ledger page: its tables, whose first cell holds one id or several.

export type Row = { ids: string[]; page: string; happened: string; holds: string }

/** A whole id: `PP-C1`, `JQ-3`, or that of a fault, `A1`. */
export const whole_id = /^(?:[A-Z]{2}-[A-Z]?\d{1,2}|[A-L]\d{1,2})(?!\w)/

export function rowsOf(markdown: string, page: string): Row[] {
  return [...markdown.matchAll(/^\| (\S[^|]*?) \| (.*?) \| (.*?) \|$/gm)]
    .map(([, cell = '', happened = '', holds = '']) => ({ ids: rowIds(cell), page, happened, holds }))
    .filter((row) => row.ids.length > 0)
}

/** Why rows have no test yet: the tables of a page with two columns, the ids and the reason. */
export function reasonsOf(markdown: string): Map<string, string> {
  return new Map(
    [...markdown.matchAll(/^\| ([^|]+?) \| ([^|]+?) \|$/gm)].flatMap(([, cell = '', reason = '']) =>
      rowIds(cell).map((id): [string, string] => [id, reason]),
    ),
  )
}

/** The cell `PP-C1, C5` is one row with the ids PP-C1 and PP-C5. */
function rowIds(cell: string): string[] {
  const [first = '', ...others] = cell.split(/,\s*/)
  const ids = [first, ...others.map((part) => (part.includes('-') ? part : `${prefixOf(first)}${part}`))]
  return ids.every((id) => whole_id.test(id)) ? ids : []
}

export function prefixOf(id = ''): string {
  return id.match(/^[A-Z]{2}-/)?.[0] ?? ''
}
