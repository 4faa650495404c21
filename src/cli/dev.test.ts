// millrace dev as a process: it migrates, serves, reloads with the code, prints the ends of runs, and stops cleanly.
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder, programFile, sdkAddress } from '../../test/commands.ts'
import { until } from '../../test/deadline.ts'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { type Program, startCompiled } from '../../test/program.ts'

let database: EmptyDatabase
let project: Caller
let dev: Program
const programs: Program[] = []
beforeAll(async () => {
  database = await createEmptyDatabase()
  project = openFolder({ DATABASE_URL: database.url })
})
afterAll(async () => {
  for (const program of programs) await program.kill()
  project.close()
  await database.close()
})

const pipelineText = (answer: string): string => `
import { pipeline } from ${JSON.stringify(sdkAddress)}
import { z } from ${JSON.stringify(path.join(path.dirname(sdkAddress), '../../node_modules/zod/index.js'))}
export const hello = pipeline('hello', { input: z.object({ name: z.string().default('Ada') }) })
  .step('greet', ({ input }) => '${answer}, ' + input.name)
`

const prints = (text: string, times = 1): Promise<true> =>
  until(
    `dev prints ${times} times: ${text}\n${dev.printed()}`,
    async () => dev.printed().split(text).length > times,
  )

test('it migrates, serves, reloads what changed, tells broken code, and stops with SIGINT', async () => {
  project.write('package.json', '{}')
  project.write('pipelines/hello.ts', pipelineText('Hello'))
  const config = project.write(
    'millrace.config.ts',
    `import { webhook } from ${JSON.stringify(sdkAddress)}
import { hello } from './pipelines/hello.ts'
const people = webhook('people', { provider: 'standard', secret: 'hooks/people', pipeline: hello })
export default { pipelines: [hello], triggers: [people] }
`,
  )
  dev = startCompiled(programFile, ['dev', '--config', config], { DATABASE_URL: database.url })
  programs.push(dev)
  await prints(`Start a run from another terminal:\n  npx millrace run start hello '{"name":"Ada"}'\n`)
  expect(dev.printed()).toContain('Applied migration 0001_pipelines.sql.')
  const [, address] = /Serves the API on (http:\/\/127\.0\.0\.1:\d+)/.exec(dev.printed())!
  expect(await (await fetch(`${address}/runs`)).json()).toMatchObject({ items: [] })
  const [, reference] = / its operations on (\S+\/reference):/.exec(dev.printed())!
  // Read to its end: the connection of half a page stays open.
  expect(await (await fetch(reference!)).text()).toContain('startRun')
  expect(dev.printed()).toContain('Takes no webhooks; in another terminal: npx millrace webhook listen\n')

  expect((await project.call('run', 'start', 'hello', '{}', '--wait')).stdout).toContain(
    'Completed: "Hello, Ada"',
  )
  await prints('  hello completed in ')

  project.write('notes.json', '{"not": "imported"}')
  project.write('pipelines/hello.ts', 'export const hello = (\n')
  await prints('pipelines/hello.ts changed; reloading.')
  await prints('The worker ended with status 2; it starts again when a file changes.')
  expect(dev.printed()).not.toContain('notes.json changed')

  project.write('pipelines/hello.ts', pipelineText('Good morning'))
  await prints('The worker serves hello', 2)
  expect((await project.call('run', 'start', 'hello', '{}', '--wait')).stdout).toContain(
    'Completed: "Good morning, Ada"',
  )

  dev.child.kill('SIGINT')
  expect(await dev.ended).toBe(0)
  expect(dev.printed()).toMatch(/Stopped\.\n$/)
  expect(await database.query("select from millrace.worker where state <> 'gone'")).toEqual([])
}, 60_000)

test('what can not be watched is told once, and a file outside the folder that the worker has loaded is watched as well', async () => {
  const workspace = openFolder()
  workspace.write('shared/answer.ts', "export const answer = 'before'\n")
  const config = workspace.write(
    'app/millrace.config.ts',
    `import { pipeline } from ${JSON.stringify(sdkAddress)}
import { answer } from '../shared/answer.ts'
console.log('The answer is ' + answer)
export default { pipelines: [pipeline('shared').step('say', () => answer)] }
`,
  )
  for (const name of ['here', 'there']) fs.symlinkSync(name, path.join(workspace.folder, 'app', name))
  const program = startCompiled(programFile, ['dev', '--config', config], { DATABASE_URL: database.url })
  programs.push(program)
  await until('the worker serves', () => program.printed().includes('The worker serves shared'))
  workspace.write('shared/answer.ts', "export const answer = 'after'\n")
  await until('it reloads', () => program.printed().includes('../shared/answer.ts changed; reloading.'))
  await until('it has the new code', () => program.printed().includes('The answer is after'))
  program.child.kill('SIGINT')
  expect(await program.ended).toBe(0)
  expect(program.printed().split('Not every file can be watched: ELOOP')).toHaveLength(2)
  workspace.close()
}, 60_000)

test('while it waits for another migrator, Ctrl-C ends it', async () => {
  const other = await database.connect()
  await other.query(`select pg_advisory_lock(hashtextextended('millrace.migrate', 0))`)
  await other.query('drop schema millrace cascade')
  const config = project.write('millrace.config.ts', 'export default { pipelines: [] }\n')
  const program = startCompiled(programFile, ['dev', '--config', config], { DATABASE_URL: database.url })
  programs.push(program)
  await until('it waits', () => program.printed().includes('Another migrator is at work'))
  program.child.kill('SIGINT')
  expect(await program.ended).toBe(0)
  expect(program.printed()).toMatch(/Stopped\.\n$/)
  await other.end()
}, 60_000)

test('its PostgreSQL ends with it, however often a signal comes', async () => {
  const own = openFolder()
  const config = own.write('millrace.config.ts', 'export default { pipelines: [] }\n')
  const program = startCompiled(programFile, ['dev', '--config', config], {
    DATABASE_URL: undefined,
    MILLRACE_DATABASE_URL: undefined,
  })
  programs.push(program)
  await until('it serves', () => program.printed().includes('The worker serves no pipeline.'))
  const data = / data in (\S+)/.exec(program.printed())![1]!
  const asking = setInterval(() => program.child.kill('SIGINT'), 50)
  await program.ended
  clearInterval(asking)
  // Told once the server is down.
  expect(program.printed()).toMatch(/Stopped\.\n$/)
  expect(fs.existsSync(path.join(data, 'data', 'postmaster.pid'))).toBe(false)
  own.close()
}, 60_000)
