// The README's example, run as it stands there.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { startTypeScript } from './program.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')

let database: TestDatabase
let folder: string

beforeAll(async () => {
  database = await createTestDatabase()
  // In node_modules the example finds its packages, and no other tool finds the example.
  folder = fs.mkdtempSync(path.join(root, 'node_modules', '.millrace-readme-'))
})

afterAll(async () => {
  fs.rmSync(folder, { recursive: true, force: true })
  await database.close()
})

test("the README's example runs and prints what it says", async () => {
  await database.query('create table orders (customer text, month text, cents int)')
  await database.query(
    'create table invoice (customer text, month text, cents int, primary key (customer, month))',
  )
  await database.query(
    "insert into orders values ('Ada', '2026-03', 1000), ('Ada', '2026-03', 500), ('Bo', '2026-03', 700), ('Bo', '2026-02', 9)",
  )
  const file = path.join(folder, 'example.mts')
  fs.writeFileSync(file, exampleCode())
  const program = startTypeScript(file, [], { DATABASE_URL: database.url })
  expect(await program.ended, program.printed()).toBe(0)
  expect(program.output()).toBe('{ invoices: 2 }\n')
  expect(await database.query('select customer, cents from invoice order by customer')).toEqual([
    { customer: 'Ada', cents: 1785 },
    { customer: 'Bo', cents: 833 },
  ])
})

test('the README has at most 120 lines, and its links lead somewhere', () => {
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(120)
  const links = [...readme.matchAll(/\]\(([^)#]+)/g)].map(([, target]) => target ?? '')
  expect(links.filter((target) => !fs.existsSync(path.join(root, target)))).toEqual([])
})

/** The first block of TypeScript, with the package's entries replaced by those of this checkout. */
function exampleCode(): string {
  const code = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? ''
  const entry = (file: string) => `'${pathToFileURL(path.join(root, 'src', file, 'index.ts')).href}'`
  return code.replace("'millrace/worker'", entry('worker')).replace("'millrace'", entry('sdk'))
}
