// The sources of the SQL functions against the catalog and the lists of words: what they rely on is there, and is called the same everywhere.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  approvalStates,
  attemptOutcomes,
  checkpointKinds,
  runStates,
  stepStates,
  workerStates,
} from '../src/core/state.ts'
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
    const unique = await database.query<{ target: string }>(
      `select i.indrelid::regclass || ' (' || string_agg(a.attname, ', ' order by a.attname) || ')' as target
         from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
        where i.indisunique and i.indpred is null and i.indexprs is null group by i.indexrelid, i.indrelid`,
    )
    const known = new Set(unique.map(({ target }) => target.replace('millrace.', '')))
    expect(targets.filter(({ target }) => !known.has(target))).toEqual([])
  })

  test('a target that is no unique index is found', () => {
    const source = 'insert into millrace.run as r (id) values (1) on conflict (slug, id) do nothing'
    expect(conflictTargets('f', source)).toEqual([{ name: 'f', target: 'run (id, slug)' }])
  })
})

async function functionSources(): Promise<{ name: string; source: string }[]> {
  return database.query(
    `select proname as name, prosrc as source from pg_proc where pronamespace = 'millrace'::regnamespace and prosrc like '%on conflict%'`,
  )
}

/** Every "on conflict (…)" with the table of the insert that it stands in. */
function conflictTargets(name: string, source: string): { name: string; target: string }[] {
  const inserts = source.split(/\binsert into\s+/i).slice(1)
  return inserts.flatMap((text) => {
    const columns = /\bon conflict\s*\(([^)]*)\)/i.exec(text)?.[1]
    if (columns === undefined) return []
    const table = /^(?:millrace\.)?(\w+)/.exec(text)?.[1] ?? ''
    const sorted = columns.split(',').map((column) => column.trim())
    return [{ name, target: `${table} (${sorted.toSorted().join(', ')})` }]
  })
}

describe('JQ-32', () => {
  test.each([
    ['run', 'state', runStates],
    ['worker', 'state', workerStates],
    ['attempt', 'outcome', attemptOutcomes],
    ['approval', 'state', approvalStates],
    ['checkpoint', 'kind', checkpointKinds],
  ] as const)('the words that %s.%s allows are those of src/core/state.ts', async (table, column, words) => {
    expect(await allowedWords(table, column)).toEqual([...words].toSorted())
  })

  test('the words that the functions write into a state are among them', async () => {
    const rows = await database.query<{ source: string }>(
      "select prosrc as source from pg_proc where pronamespace = 'millrace'::regnamespace",
    )
    const written = rows.flatMap(({ source }) =>
      [...source.matchAll(/\b(?:state|outcome)\s*=\s*'([a-z]+)'/g)].map(([, word = '']) => word),
    )
    expect(written.length).toBeGreaterThan(5)
    const known = new Set<string>([...runStates, ...workerStates, ...attemptOutcomes, ...approvalStates])
    expect(written.filter((word) => !known.has(word))).toEqual([])
  })

  test.each([
    ['run', runStates],
    ['step', stepStates],
    ['worker', workerStates],
  ] as const)('GLOSSARY.md lists the states of a %s, and no other', (noun, words) => {
    const page = readFileSync(new URL('../GLOSSARY.md', import.meta.url), 'utf8')
    const line = page.split('\n').find((text) => text.startsWith(`- A **${noun}**`)) ?? ''
    const listed = [...(line.split('. ')[0] ?? '').matchAll(/`([^`]+)`/g)].flatMap(
      ([, list = '']) => list.match(/[a-z]+/g) ?? [],
    )
    expect(listed.toSorted()).toEqual([...words].toSorted())
  })
})

async function allowedWords(table: string, column: string): Promise<string[]> {
  const rows = await database.query<{ definition: string }>(
    `select pg_get_constraintdef(oid) as definition from pg_constraint
      where conrelid = $1::regclass and contype = 'c' and pg_get_constraintdef(oid) like $2`,
    [`millrace.${table}`, `CHECK ((${column} = ANY %`],
  )
  return [...(rows[0]?.definition ?? '').matchAll(/'([a-z]+)'/g)].map(([, word = '']) => word).toSorted()
}
