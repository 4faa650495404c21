// What becomes of a process whose output nobody takes any more.
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, echoConfig, openFolder, programFile } from '../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { compiled, type Program, startCompiled, startProgram, untilTestEnds } from '../../test/program.ts'
import { watchOutput } from './lost-output.ts'
import { hearOrders } from './worker-orders.ts'

let database: TestDatabase
let project: Caller
let config: string
const kept = untilTestEnds()
beforeAll(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url })
  config = project.write(
    'millrace.config.ts',
    echoConfig
      .replace(
        'return input',
        `console.log('it runs')
    await new Promise((resolve) => {
      const look = () => fs.existsSync(${JSON.stringify(`${project.folder}/go`)}) && resolve(watcher.close())
      const watcher = fs.watch(${JSON.stringify(project.folder)}, look)
      look()
    })
    return input`,
      )
      .replace('({ input }) => {', 'async ({ input }) => {')
      .replace('import', "import fs from 'node:fs'\nimport"),
  )
})
afterAll(async () => {
  project.close()
  await database.close()
})

test('a worker whose output nobody reads any more, on either stream, finishes what it holds and ends with 0', async () => {
  const worker = kept(
    startCompiled(programFile, ['worker', '--config', config], { DATABASE_URL: database.url }),
  )
  await until('it serves', () => worker.printed().includes('The worker serves echo'))
  await project.call('run', 'start', 'echo', '"once"')
  await until('it runs', () => worker.printed().includes('it runs'))
  worker.child.stdout!.destroy()
  worker.child.stderr!.destroy()
  await project.call('run', 'start', 'echo', '"once"')
  await until(
    'it drains',
    async () => (await database.query(`select from millrace.worker where state = 'draining'`)).length === 1,
  )
  project.write('go', '')
  expect(await worker.ended).toBe(0)
  expect(await database.query("select outcome from millrace.attempt where step = 'say'")).toEqual([
    { outcome: 'completed' },
    { outcome: 'completed' },
  ])
})

test('it is the same with the lines of --json', async () => {
  const worker = kept(
    startCompiled(programFile, ['worker', '--json', '--config', config], { DATABASE_URL: database.url }),
  )
  worker.child.stdout!.destroy()
  expect(await worker.ended).toBe(0)
})

test('dev whose output nobody reads any more ends with its worker and its database', async () => {
  const own = openFolder()
  const file = own.write('millrace.config.ts', echoConfig)
  const dev = kept(
    startCompiled(programFile, ['dev', '--config', file], {
      DATABASE_URL: undefined,
      MILLRACE_DATABASE_URL: undefined,
    }),
  )
  try {
    await until('its worker serves', () => dev.printed().includes('The worker serves echo'), 60_000)
    const itsDatabase = path.join(own.folder, '.millrace', 'postgres', 'data', 'postmaster.pid')
    expect(fs.existsSync(itsDatabase)).toBe(true)
    dev.child.stdout!.destroy()
    // It prints a line for each run that ends.
    await own.call('run', 'start', 'echo', '"once"')
    expect(await dev.ended).toBe(0)
    expect(fs.existsSync(itsDatabase)).toBe(false)
  } finally {
    await dev.kill()
    own.close()
  }
}, 120_000)

test('whoever has seen enough of a result closes the pipe, which is no error', async () => {
  const command = kept(startCompiled(programFile, ['completion', 'bash']))
  command.child.stdout!.destroy()
  expect(await command.ended).toBe(0)
  expect(command.printed()).toBe('')
})

/** A program whose output goes to a disk that is full. */
function onFullDisk(...args: string[]): Program {
  const command = 'exec "$0" "$@" > /dev/full'
  const environment = { DATABASE_URL: database.url }
  return kept(
    startProgram('sh', ['-c', command, process.execPath, compiled(programFile), ...args], environment),
  )
}

test('a result that cannot be written is said on stderr, and is a failure', async () => {
  const command = onFullDisk('completion', 'bash')
  expect(await command.ended).toBe(1)
  expect(command.printed()).toMatch(/^Error: The output can't be written: ENOSPC[^\n]+\n$/)
  const other = onFullDisk('run', 'list', '--json')
  expect(await other.ended).toBe(1)
  expect(JSON.parse(other.printed())).toMatchObject({ error: { code: 'output_failed' } })
})

test('a worker that cannot write its output says so once, and goes on', async () => {
  project.write('go', '')
  const worker = onFullDisk('worker', '--config', config)
  await until('it says so', () => worker.printed().includes("The output can't be written"))
  expect((await project.call('run', 'start', 'echo', '"still"', '--wait')).status).toBe(0)
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toBe(0)
  expect(worker.printed().split("The output can't be written")).toHaveLength(2)
  expect(await database.query(`select from millrace.worker where state <> 'gone'`)).toEqual([])
})

/** A process that hears orders, and what each came to; `lose` is its output's end. */
function hearing(): { process: NodeJS.Process; lose: () => void; acted: string[]; close: () => void } {
  const process = Object.assign(new EventEmitter(), {
    env: {},
    stdout: new EventEmitter(),
    stderr: new EventEmitter(),
    exit: (status: number) => acted.push(`exit ${status}`),
  }) as unknown as NodeJS.Process
  const acted: string[] = []
  watchOutput(process, () => 1)
  const orders = hearOrders(process)
  orders.obey({ drain: () => acted.push('drain'), force: () => acted.push('force') })
  const lose = () => process.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  return { process, lose, acted, close: orders.close }
}

test('Ctrl-C that ends whoever reads as well is one order, whichever of the two is heard first', () => {
  const signalled = hearing()
  signalled.process.emit('SIGINT', 'SIGINT')
  signalled.lose()
  expect(signalled.acted).toEqual(['drain'])
  signalled.close()
  const lost = hearing()
  lost.lose()
  lost.lose()
  lost.process.emit('SIGINT', 'SIGINT')
  expect(lost.acted).not.toContain('force')
  expect(new Set(lost.acted)).toEqual(new Set(['drain']))
  lost.close()
})

test('a command that nobody can stop any more ends at once', () => {
  const { lose, acted, close } = hearing()
  close()
  lose()
  expect(acted).toEqual(['exit 0'])
})
