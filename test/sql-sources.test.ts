// The sources of the SQL functions against the catalog: what they rely on is there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from './database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

describe('PP-D8', () => {
  test('each on conflict target is a real unique index of its table', async () => {
    const targets = (await functionSources()).flatMap(({ name, source }) => conflictTargets(name, source))
    expect(targets.length).toBeGreaterThan(3)
    const unique = await database.query<{ target: string; condition: string | null }>(
      `select i.indrelid::regclass || ' (' || string_agg(a.attname, ', ' order by a.attname) || ')' as target,
              pg_get_expr(i.indpred, i.indrelid) as condition
         from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
        where i.indisunique and i.indexprs is null group by i.indexrelid, i.indrelid, i.indpred`,
    )
    const known = new Set(
      unique.map(({ target, condition }) => target.replace('millrace.', '') + conditionWords(condition)),
    )
    expect(targets.filter(({ target }) => !known.has(target))).toEqual([])
  })

  test('a target that is no unique index is found', () => {
    const source = 'insert into millrace.run as r (id) values (1) on conflict (slug, id) do nothing'
    expect(conflictTargets('f', source)).toEqual([{ name: 'f', target: 'run (id, slug)' }])
    const partial = 'insert into firing (id) values (1) on conflict (slot_at) where slots = 1 do nothing'
    expect(conflictTargets('f', partial)).toEqual([{ name: 'f', target: 'firing (slot_at) where slots = 1' }])
  })
})

async function functionSources(): Promise<{ name: string; source: string }[]> {
  return database.query(
    `select proname as name, prosrc as source from pg_proc where pronamespace = 'millrace'::regnamespace and prosrc like '%on conflict%'`,
  )
}

/** The condition of a partial index as it is written in a target: without parentheses, in small letters. */
function conditionWords(condition: string | null | undefined): string {
  return condition ? ` where ${condition.replace(/[()]/g, '').toLowerCase()}` : ''
}

/** Every "on conflict (…)" with the table of the insert that it stands in. */
function conflictTargets(name: string, source: string): { name: string; target: string }[] {
  const inserts = source.split(/\binsert into\s+/i).slice(1)
  return inserts.flatMap((text) => {
    const [, columns, condition] =
      /\bon conflict\s*\(([^)]*)\)\s*(?:where\s+(.*?)\s+)?do\b/is.exec(text) ?? []
    if (columns === undefined) return []
    const table = /^(?:millrace\.)?(\w+)/.exec(text)?.[1] ?? ''
    const sorted = columns.split(',').map((column) => column.trim())
    return [{ name, target: `${table} (${sorted.toSorted().join(', ')})${conditionWords(condition)}` }]
  })
}
