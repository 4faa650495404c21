// Rules on starts as tests of the SQL functions define them.
import type { Sql } from './protocol.ts'

/** Defines a rule on the starts of a pipeline; answers its revision. */
export async function defineStartRule(
  sql: Sql,
  slug: string,
  name: string,
  settings: Record<string, unknown>,
  expectedRevision: number | null = null,
): Promise<number> {
  const [row] = await sql.query<{ revision: number }>(
    'select millrace.define_start_rule($1, $2, $3, expected_revision => $4) as revision',
    [slug, name, JSON.stringify(settings), expectedRevision],
  )
  return row!.revision
}
