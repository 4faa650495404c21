// The example as a whole: a sweep whose worker is killed half-way, and npm start from nothing.
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { territories } from '../examples/territory-sweep/data.ts'
import { createReportTable } from '../examples/territory-sweep/schema.ts'
import { territorySweep } from '../examples/territory-sweep/territory-sweep.ts'
import { connect } from '../src/sdk/index.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { until } from './deadline.ts'
import { type Program, startCompiled, startProgram, startTypeScript } from './program.ts'
import { makeReachableFolder } from './reachable-folder.ts'

const airports = 3_376
const programs: Program[] = []
const databases: TestDatabase[] = []
let folder: string

beforeAll(() => {
  folder = makeReachableFolder()
})

afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.kill()))
  await Promise.all(databases.splice(0).map((database) => database.close()))
})

afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true })
})

test('a sweep whose worker is killed half-way leaves the same table, each airport once', async () => {
  const undisturbed = await newSweep()
  startWorkerOf(undisturbed)
  await untilSwept(undisturbed)

  const disturbed = await newSweep()
  const killed = startWorkerOf(disturbed)
  await until('half of the airports are done', async () => (await doneIn(disturbed)) >= airports / 2)
  await killed.kill()
  const doneBefore = await doneIn(disturbed)
  expect(doneBefore).toBeLessThan(airports)
  expect(await reportOf(disturbed)).not.toEqual(await reportOf(undisturbed))

  startWorkerOf(disturbed)
  await untilSwept(disturbed)
  const report = await reportOf(disturbed)
  expect(report).toHaveLength(airports)
  expect(report).toEqual(await reportOf(undisturbed))
  expect(await attemptsOf(disturbed)).toEqual({ completed: airports, writes: airports, twice: 0 })
}, 90_000)

test('FO-3 npm start runs the whole example from nothing and ends with status 0', async () => {
  const data = path.join(folder, '.millrace')
  const started = performance.now()
  const program = run(startProgram('npm', ['start', '--', '--exit', '--directory', data], noDatabase))
  expect(await program.ended, program.printed()).toBe(0)
  const printed = program.output()
  expect(printed).toContain('3,376 airports in 57 states and territories')
  expect(printed).toContain('territory-sweep, version 1: completed')
  expect(printed).toMatch(/the first began \d+\.\d s after/)
  expect(widestLine(printed)).toBeLessThanOrEqual(80)
  expect(printed).not.toContain('\u001b')
  expect(serverRuns(data)).toBe(false)
  expect((performance.now() - started) / 1_000).toBeLessThan(60)
}, 90_000)

test('FO-3 Ctrl-C ends the worker that stays up and its PostgreSQL, with status 0, though npm passes it on', async () => {
  const data = path.join(folder, '.millrace')
  const program = run(startTypeScript('examples/territory-sweep/main.ts', ['--directory', data], noDatabase))
  await until('the sweep is done', async () => program.printed().includes('Ctrl-C'), 90_000)
  expect(serverRuns(data)).toBe(true)
  program.child.kill('SIGINT')
  await until('it is about to end', async () => program.printed().includes('Stopped.'))
  program.child.kill('SIGINT')
  expect(await program.ended, program.printed()).toBe(0)
  expect(serverRuns(data)).toBe(false)
}, 60_000)

test('a run that was started by hand is counted as what it is: one, in progress already', async () => {
  const database = await newSweep(['CT'])
  const address = { ...noDatabase, DATABASE_URL: database.url }
  const program = run(startTypeScript('examples/territory-sweep/main.ts', ['--exit'], address))
  expect(await program.ended, program.printed()).toBe(0)
  expect(program.printed()).toContain('1 run was in progress already.')
}, 60_000)

test('the example refuses an option that it does not know, and says which there are', async () => {
  const program = run(startTypeScript('examples/territory-sweep/main.ts', ['--fast'], noDatabase))
  expect(await program.ended).toBe(2)
  expect(program.printed()).toContain('--exit')
})

const noDatabase = { DATABASE_URL: undefined, MILLRACE_DATABASE_URL: undefined, NO_COLOR: '1' }

function run(program: Program): Program {
  programs.push(program)
  return program
}

/** A database on which a run of each of these territories is started, and nobody works yet. */
async function newSweep(states = [...territories().keys()]): Promise<TestDatabase> {
  const database = await createTestDatabase()
  databases.push(database)
  await createReportTable(database.pool)
  const client = connect({ database: database.url })
  await client.startMany(
    territorySweep,
    states.map((state) => ({ state })),
  )
  await client.close()
  return database
}

function startWorkerOf(database: TestDatabase): Program {
  return run(startCompiled('test/programs/territory-worker.ts', [database.url]))
}

async function untilSwept(database: TestDatabase): Promise<void> {
  await until(
    'all runs are completed',
    async () => {
      const [row] = await database.query<{ left: number }>(
        "select count(*)::int as left from millrace.run where state <> 'completed'",
      )
      return row?.left === 0
    },
    90_000,
  )
}

async function doneIn(database: TestDatabase): Promise<number> {
  const [row] = await database.query<{ done: number }>(
    "select count(*)::int as done from millrace.attempt where step = 'enrich' and outcome = 'completed'",
  )
  return row?.done ?? 0
}

/** The report without the runs that wrote it. */
async function reportOf(database: TestDatabase): Promise<unknown[]> {
  return await database.query("select to_jsonb(r) - 'run_id' as row from territory_report r order by airport")
}

/** How many airports were completed, how many rows the account says were written, and what was completed twice. */
async function attemptsOf(database: TestDatabase): Promise<unknown> {
  const [row] = await database.query(
    `select count(*) filter (where step = 'enrich')::int as completed,
            sum((writes -> 'public.territory_report' ->> 'inserted')::int)::int as writes,
            (count(*) - count(distinct (run_id, step, item)))::int as twice
       from millrace.attempt where outcome = 'completed'`,
  )
  return row
}

/** The longest line apart from the folder's name, which is as long as it is. */
function widestLine(text: string): number {
  return Math.max(
    ...text
      .split('\n')
      .filter((line) => !line.includes(folder) && !line.includes(path.basename(folder)))
      .map((line) => line.length),
  )
}

function serverRuns(data: string): boolean {
  return fs.existsSync(path.join(data, 'postgres', 'data', 'postmaster.pid'))
}
