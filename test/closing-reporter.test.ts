// A real run over a file in which one test fails, one passes when it is tried again, and an error is thrown that nobody awaits.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-closing-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const reporter = fileURLToPath(new URL('closing-reporter.ts', import.meta.url))
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))

function outputOf(files: Record<string, string>): { output: string; status: number | null } {
  const config = `import { ClosingReporter } from ${JSON.stringify(reporter)}
export default { test: { globals: true, retry: 1, reporters: [new ClosingReporter()] } }`
  for (const [name, text] of Object.entries({ 'vitest.config.mjs': config, ...files }))
    fs.writeFileSync(path.join(folder, name), text)
  const { VITEST: _, ...env } = process.env
  const { stdout, status } = spawnSync(process.execPath, [vitest, 'run', '--root', folder], {
    encoding: 'utf8',
    env,
  })
  return { output: stdout, status }
}

test('what failed, what passed only at the second try, and what nobody awaited are named at the end', () => {
  const { output, status } = outputOf({
    'a.test.js': `
      let tries = 0
      test('is right', () => {})
      test('is wrong', () => { throw new Error('the reason\\nand more of it') })
      test('is right at last', () => { if (++tries === 1) throw new Error('not yet') })
      test('lets go of an error', () => { setTimeout(() => { throw new Error('nobody awaits me') }, 0) })`,
    'b.test.js': `beforeAll(() => { throw new Error('no ground to stand on') })
      test('never begins', () => {})`,
  })
  expect(status).toBe(1)
  const [, again, failed, outside] = output.split(/\n[A-Z][^\n]*:\n/)
  expect(again?.trim()).toBe('a.test.js > is right at last: not yet')
  expect(failed?.trim().split('\n')).toEqual([
    'a.test.js > is wrong: the reason',
    '  b.test.js: no ground to stand on',
  ])
  expect(outside).toContain('nobody awaits me')
})

test('a run in which all is well ends without a word', () => {
  fs.rmSync(path.join(folder, 'b.test.js'), { force: true })
  expect(outputOf({ 'a.test.js': `test('is right', () => {})` })).toEqual({ output: '', status: 0 })
})
