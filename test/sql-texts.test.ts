// Every SQL text that our code holds is prepared against the migrated schema: a wrong name is an error here, not at run time.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { pathsUnder, readHouse, textOf } from './tidy/house.ts'
import { readSource } from './tidy/source.ts'

const house = readHouse(process.cwd())
const files = pathsUnder(house, 'src/db', '.ts').filter((path) => !path.endsWith('.test.ts'))

let db: TestDatabase

beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

/** The queries of a file; the interpolated constants of the same file are put in their place. */
function queriesOf(path: string): string[] {
  const source = textOf(house, path)
  return readSource(house, path)
    .literals.map(({ text }) => withConstants(source, text))
    .filter(
      (text) =>
        /^\s*(select|with|insert|update|delete)\s/i.test(text) &&
        /\b(from|millrace\.|returning|pg_)/i.test(text),
    )
}

function withConstants(source: string, text: string): string {
  const replaced = text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => constantOf(source, name) ?? whole)
  return replaced === text ? text : withConstants(source, replaced)
}

function constantOf(source: string, name: string): string | undefined {
  const found = new RegExp(`const ${name} =\\s*(?:\`([^\`]*)\`|'([^']*)'|"([^"]*)")`).exec(source)
  return found?.[1] ?? found?.[2] ?? found?.[3]
}

test('PP-D3 PP-D9 PP-D14 every query in src/db fits the migrated schema', async () => {
  const client = await db.pool.connect()
  const faults: string[] = []
  let prepared = 0
  for (const path of files) {
    for (const query of queriesOf(path)) {
      prepared++
      await client.query(`prepare checked as ${query}`).then(
        () => client.query('deallocate checked'),
        (error: Error) => faults.push(`${path}: ${error.message} in ${query.slice(0, 120)}`),
      )
    }
  }
  client.release()
  expect(faults).toEqual([])
  expect(prepared).toBeGreaterThan(30)
})

test('PP-D3 PP-D9 PP-D14 a wrong column would be found', async () => {
  await expect(db.query('prepare wrong as select no_such_column from millrace.run')).rejects.toThrow(
    'no_such_column',
  )
})
