// The example of docs/testing.md, run as it stands there: by node:test, on the server of TEST_DATABASE_URL.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { dropTemplate, templateName } from '../src/db/test-databases.ts'
import { startTypeScript } from './program.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = fs.readFileSync(path.join(root, 'docs/testing.md'), 'utf8')

let folder: string

beforeAll(() => {
  // In node_modules the example finds its packages, and no other tool finds the example.
  folder = fs.mkdtempSync(path.join(root, 'node_modules', '.millrace-testing-'))
})

afterAll(async () => {
  fs.rmSync(folder, { recursive: true, force: true })
  const server = inject('testServerUrl')
  await dropTemplate(server, await templateName(server))
})

test('the example of docs/testing.md passes under node:test, on a server of its own choice', async () => {
  const file = path.join(folder, 'example.mts')
  fs.writeFileSync(file, exampleCode())
  // A test process of node:test that finds itself inside another one reports to that one alone.
  const program = startTypeScript(file, [], {
    TEST_DATABASE_URL: inject('testServerUrl'),
    NODE_TEST_CONTEXT: undefined,
  })
  expect(await program.ended, program.printed()).toBe(0)
  expect(program.output()).toMatch(/pass 1\b/)
})

/** The first block of TypeScript, with the package's entries replaced by those of this checkout. */
function exampleCode(): string {
  const code = /```ts\n(.*?)```/s.exec(page)?.[1] ?? ''
  const entry = (file: string) => `'${pathToFileURL(path.join(root, 'src', file, 'index.ts')).href}'`
  return code.replace("'millrace/testing'", entry('testing')).replace("'millrace'", entry('sdk'))
}
