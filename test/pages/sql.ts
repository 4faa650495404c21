// Owns the SQL of the pages as the server reads it: each statement prepared, each call compared with the catalog, each list of columns with the rows.
import type pg from 'pg'
import type { TestDatabase } from '../database.ts'
import type { Piece } from './blocks.ts'

/** The statements of a block, each with the line where it begins. */
export function statementsOf({ page, line, text }: Piece): Piece[] {
  const statements: Piece[] = []
  let open: string[] = []
  for (const [index, said] of text.split('\n').entries()) {
    open.push(said)
    if (!/;\s*(--.*)?$/.test(said)) continue
    statements.push({ page, line: line + index + 1 - open.length, text: open.join('\n') })
    open = []
  }
  const rest = open.join('\n').trim()
  return rest === '' ? statements : [...statements, { page, line, text: rest }]
}

/** What the server says against a statement, or undefined. A `:name` is a value that the reader has. */
export async function refusalOf(database: TestDatabase, { text }: Piece): Promise<string | undefined> {
  const names: string[] = []
  const statement = bare(text).replace(placeholder, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 1}`
  })
  const client = await database.pool.connect()
  try {
    await client.query(`prepare piece as ${statement}`)
    await client.query('deallocate piece')
    return await missingColumns(client, text)
  } catch (error) {
    return (error as Error).message
  } finally {
    client.release()
  }
}

const placeholder = /(?<![:\w]):([a-z_]+)\b/g

const bare = (text: string): string => text.replaceAll(/--.*$/gm, '').trim().replace(/;$/, '')

/** The columns that the comment behind a statement names, and that its rows don't have. */
async function missingColumns(client: pg.PoolClient, text: string): Promise<string | undefined> {
  const [, list] = /;\s*-- ([a-z_]+(?:, (?:[a-z_]+|…))+)$/.exec(text) ?? []
  if (list === undefined) return undefined
  const statement = bare(text).replace(placeholder, 'null')
  const { fields } = await client.query(`select * from (${statement}) piece limit 0`)
  const known = new Set(fields.map(({ name }) => name))
  const missing = list.split(', ').filter((name) => name !== '…' && !known.has(name))
  return missing.length === 0 ? undefined : `its rows have no ${missing.join(', no ')}`
}

interface Signature {
  readonly name: string
  readonly args: number
  readonly names: readonly string[]
}

export const signatures = (database: TestDatabase): Promise<Signature[]> =>
  database.query<Signature & pg.QueryResultRow>(
    `select proname as name, pronargs::int as args, coalesce(proargnames[1:pronargs], '{}') as names
       from pg_proc where pronamespace = 'millrace'::regnamespace`,
  )

/** The calls of our functions in a text that no function answers to. */
export function unknownCalls(text: string, known: readonly Signature[]): string[] {
  return [...text.matchAll(/\bmillrace\.([a-z_]+)\(([^()]*)/g)].flatMap(([call, name, list = '']) => {
    const found = known.find((one) => one.name === name)
    if (found === undefined) return [`${call}…) calls no function`]
    const args = bare(list)
      .replaceAll(/'[^']*'|\[[^\]]*\]?/g, 'x')
      .split(',')
      .map((arg) => arg.trim())
      .filter(Boolean)
    const named = args.flatMap((arg) => /^([a-z_]+)\s*=>/.exec(arg)?.[1] ?? [])
    const missing = named.filter((one) => !found.names.includes(one))
    if (missing.length > 0) return [`${call}…) names ${missing.join(', ')}, which it does not take`]
    return args.length > found.args ? [`${call}…) gives more than it takes`] : []
  })
}
