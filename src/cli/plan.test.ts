// millrace plan on a real database: it changes nothing, tells each pipeline and each live run that is touched, and ends as CI needs it.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { width } from '../core/text-width.ts'
import { type Caller, openFolder, sdkAddress } from '../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { chain, claimOne, complete, registerPipeline, registerWorker } from '../../test/protocol.ts'

let database: TestDatabase
const folders: Caller[] = []
beforeAll(async () => {
  database = await createTestDatabase()
})
afterEach(() => {
  for (const folder of folders.splice(0)) folder.close()
})
afterAll(() => database.close())

/** A folder whose configuration holds these pipelines, and these queries. */
function projectOf(pipelines: string, queries = '{}'): Caller {
  const folder = openFolder({ DATABASE_URL: database.url })
  folders.push(folder)
  folder.write(
    'millrace.config.ts',
    `import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
const handler = () => 1
export default defineConfig({ pipelines: [${pipelines}], queries: ${queries} })
`,
  )
  return folder
}

const registered = () => database.query('select slug, version from millrace.pipeline_version order by 1, 2')

test('new, changed, same and gone pipelines are told, nothing is registered, and no touched run ends with 0', async () => {
  const before = projectOf(`
    pipeline('same').step('a', handler),
    pipeline('changed').step('a', handler).step('b', handler)`)
  for (const name of ['same', 'changed']) await before.call('run', 'start', name)
  await registerPipeline(database, 'elsewhere', chain('x'))
  await database.query('select millrace.cancel_run(id) from millrace.run')
  const known = await registered()

  const after = projectOf(`
    pipeline('same').step('a', handler),
    pipeline('changed', { timeout: '1m' }).step('a', handler).step('c', handler),
    pipeline('fresh').step('a', handler)`)
  const { status, stdout } = await after.call('plan')
  expect(stdout).toBe(`changed: changed, version 2 takes the place of version 1
  ~ a: timeout_ms 300000 → 60000
  + c
  - b
elsewhere: registered, but not in this code
fresh: new, as version 1
same: the same, version 1
No live run is touched.
`)
  expect(status).toBe(0)
  expect(await registered()).toEqual(known)
})

test('live runs of versions that the code does not serve are told where they stand and whether they can be moved: 5', async () => {
  const before = projectOf(`pipeline('moving').step('a', handler).step('b', handler).step('c', handler)`)
  for (let n = 0; n < 3; n++) await before.call('run', 'start', 'moving')
  const handlers = await database.query<{ id: number }>(
    "select id from millrace.handler where slug = 'moving'",
  )
  const worker = await registerWorker(database, { handlers: handlers.map(({ id }) => id) })
  await complete(database, worker, [{ task: await claimOne(database, worker) }], { room: 1 })
  const after = projectOf(
    `pipeline('moving').step('a', handler).step('d', handler).step('b', { after: 'd' }, handler)`,
  )
  const { status, stdout } = await after.call('plan', '--ignore-gone')
  expect(stdout).toContain(`moving: changed, version 2 takes the place of version 1
  + d
  ~ b: after ["a"] → ["d"]
  - c

live runs  version  at step  served now  can be moved
        2        1  a        yes         yes
        1        1  b        yes         no
version 1 can't be moved from there: 'b' came after 'a' and comes after 'd'

`)
  expect(stdout).toMatch(/\n3 live runs keep versions that this code does not serve\. /)
  expect(status).toBe(5)
  for (const line of stdout.split('\n')) expect(width(line)).toBeLessThanOrEqual(80)

  const deployed = projectOf(`pipeline('other').step('a', handler)`)
  expect((await deployed.call('plan', '--ignore-gone')).status).toBe(0)
  const gone = await deployed.call('plan', '--json')
  expect(gone.status).toBe(5)
  expect(JSON.parse(gone.stdout)).toMatchObject({
    touched_runs: 3,
    pipelines: expect.arrayContaining([
      expect.objectContaining({ pipeline: 'moving', change: 'gone', touched_runs: 3 }),
    ]),
  })
})

test('PP-D3 each declared query is prepared in the target database; a wrong column ends with 1 and is told with its line', async () => {
  await database.query('create table if not exists public.airport (code text, state text)')
  const project = projectOf(
    `pipeline('asking').step('a', handler)`,
    JSON.stringify({
      'airports of a state': 'select code from airport where state = $1',
      'with a typo': 'select code\n  from airport\n where sate = $1',
      'two at once': 'select 1; drop table airport',
      'no query': 'create table x (id int)',
    }),
  )
  const { status, stdout } = await project.call('plan', '--json')
  expect(status).toBe(1)
  expect((JSON.parse(stdout) as { queries: unknown }).queries).toEqual([
    { name: 'airports of a state', fault: null },
    {
      name: 'with a typo',
      fault:
        'column "sate" does not exist (line 3). Perhaps you meant to reference the column "airport.state".',
    },
    { name: 'two at once', fault: 'cannot insert multiple commands into a prepared statement' },
    { name: 'no query', fault: 'syntax error at or near "create"' },
  ])
  expect((await project.call('plan')).stdout).toContain(
    `query 'with a typo' does not fit: column "sate" does not exist`,
  )
  await database.query("insert into public.airport values ('DFW', 'TX')")
})

test('PP-D3 the function of an sql step must be there, and take what it is given', async () => {
  await database.query('create schema if not exists app')
  await database.query(
    'create or replace function app.invoice(input jsonb) returns jsonb language sql as $$ select input $$',
  )
  const project = projectOf(
    `pipeline('billing').sql('bill', { function: 'app.invoice' }).sql('send', { function: 'app.send_it' })`,
  )
  const { status, stdout } = await project.call('plan', '--json')
  expect(status).toBe(1)
  expect((JSON.parse(stdout) as { queries: unknown }).queries).toEqual([
    { name: 'step bill of billing', fault: null },
    {
      name: 'step send of billing',
      fault: expect.stringContaining('function app.send_it(jsonb) does not exist'),
    },
  ])
})

test('PP-D3 what a schedule expects is prepared as it will be asked: with its three parameters, and nothing around it that could leave', async () => {
  await database.query('create table if not exists public.report (day date, run_id uuid)')
  const folder = openFolder({ DATABASE_URL: database.url })
  folders.push(folder)
  const expectations = {
    right: { query: 'select count(*) > 0 from report where day = $1::date and run_id = $2' },
    counted: { query: 'select from report where day = $1::date -- today', rows: 3 },
    wrong: { query: 'select count(*) > 0\n  from report where dy = $1::date' },
    left: { query: 'select true) as x); drop table report; (select * from (select true' },
    output: { output: 'lines', atLeast: 1 },
  }
  folder.write(
    'millrace.config.ts',
    `import { defineConfig, pipeline, schedule } from ${JSON.stringify(sdkAddress)}
const reports = pipeline('reports').step('a', () => 1)
const expectations = ${JSON.stringify(expectations)}
export default defineConfig({
  pipelines: [reports],
  triggers: Object.entries(expectations).map(([name, expect]) => schedule(name, { pipeline: reports, cron: '@daily', expect })),
})
`,
  )
  const { status, stdout, stderr } = await folder.call('plan', '--json')
  expect([status, stderr]).toEqual([1, ''])
  expect((JSON.parse(stdout) as { queries: unknown }).queries).toEqual([
    { name: 'expect of schedule right', fault: null },
    { name: 'expect of schedule counted', fault: null },
    {
      name: 'expect of schedule wrong',
      fault: 'column "dy" does not exist (line 2). Perhaps you meant to reference the column "report.day".',
    },
    { name: 'expect of schedule left', fault: expect.stringContaining('multiple commands') as string },
  ])
})

test('PP-D3 a query that is no text is refused with the configuration', async () => {
  const project = projectOf(`pipeline('asking').step('a', handler)`, '{ one: 1 }')
  expect(await project.call('plan')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('queries.one: it is no text'),
  })
})

test('a graph that the database refuses ends with 2, as registering it would', async () => {
  const project = projectOf(`pipeline('wrong').step('a', { retry: { attempts: 0 } }, handler)`)
  expect((await project.call('plan')).status).toBe(2)
})
