// The worker command as a process: what it prints, how it drains, and what it refuses.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, echoConfig, openFolder, programFile } from '../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { createEmptyDatabase } from '../../test/empty-database.ts'
import { type Program, startCompiled, untilTestEnds } from '../../test/program.ts'

let database: TestDatabase
let project: Caller
let config: string
const kept = untilTestEnds()
beforeAll(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url })
  config = project.write('millrace.config.ts', `${echoConfig}`)
})
afterAll(async () => {
  project.close()
  await database.close()
})

function start(url: string, ...args: string[]): Program {
  return kept(startCompiled(programFile, [...args, '--config', config], { DATABASE_URL: url }))
}

const prints = (program: Program, text: string | RegExp): Promise<true> =>
  until(`it prints ${text}`, async () =>
    typeof text === 'string' ? program.printed().includes(text) : text.test(program.printed()),
  )

test('it says in one line what it serves, runs it, and drains on SIGTERM with status 0', async () => {
  const worker = start(database.url, 'worker')
  await prints(worker, 'The worker serves echo (version 1).\n')
  const completed = await project.call('run', 'start', 'echo', '"hello"', '--wait')
  expect(completed.stdout).toContain('Completed: "hello"\n')
  expect(
    JSON.parse((await project.call('run', 'start', 'echo', '2', '--wait', '--json')).stdout),
  ).toMatchObject({
    created: true,
    state: 'completed',
    output: 2,
  })
  const failed = await project.call('run', 'start', 'echo', '"fail"', '--wait')
  expect(failed.status).toBe(4)
  expect(failed.stderr).toMatch(
    /^Error: Run \S+ of 'echo' failed in step 'say': it was told to fail\. See what happened with: npx millrace run account /,
  )
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toBe(0)
})

test('with --json it prints one object a line', async () => {
  const worker = start(
    database.url,
    'worker',
    '--json',
    '--queue',
    'default',
    '--slots',
    '3',
    '--name',
    'json-worker',
  )
  await prints(worker, 'The worker serves echo')
  const [line = ''] = worker.output().split('\n')
  expect(JSON.parse(line)).toMatchObject({
    level: 30,
    message: 'The worker serves echo (version 1).',
    worker_id: expect.any(String),
  })
  const workers = await database.query("select slots, queues from millrace.worker where name = 'json-worker'")
  expect(workers).toEqual([{ slots: 3, queues: ['default'] }])
  worker.child.kill('SIGINT')
  expect(await worker.ended).toBe(0)
})

test('a second signal gives back at once what still runs, and ends with 1', async () => {
  const slow = project.write(
    'slow/millrace.config.ts',
    echoConfig
      .replace("'echo'", "'slow-echo'")
      .replace(
        'return input',
        "console.log('it runs')\n    await new Promise((resolve) => setTimeout(resolve, 600_000))",
      )
      .replace('({ input }) => {', 'async ({ input }) => {'),
  )
  const worker = kept(
    startCompiled(programFile, ['worker', '--config', slow], { DATABASE_URL: database.url }),
  )
  await prints(worker, 'The worker serves slow-echo')
  await project.call('run', 'start', 'slow-echo', '1')
  await prints(worker, 'it runs')
  worker.child.kill('SIGTERM')
  await prints(worker, 'Finishing 1 running')
  // npm passes on at once what the whole group has had: only whoever asks again later wants an end now.
  const asking = setInterval(() => worker.child.kill('SIGTERM'), 700)
  expect(await worker.ended).toBe(1)
  clearInterval(asking)
  expect(
    await database.query("select outcome from millrace.attempt where step = 'say' and outcome = 'released'"),
  ).toHaveLength(1)
})

test('FO-3 a database without the schema is refused with 3 and the next command', async () => {
  const empty = await createEmptyDatabase()
  const worker = start(empty.url, 'worker')
  expect(await worker.ended).toBe(3)
  expect(worker.printed()).toMatch(/has no schema millrace yet\. Run `npx millrace migrate`\.\n$/)
  await empty.close()
})

test('a login that is refused ends it with 3 and a sentence, with a wrong password as without one', async () => {
  const address = new URL(database.url)
  address.password = 'geheim'
  const refused = start(address.href, 'worker')
  expect(await refused.ended).toBe(3)
  expect(refused.printed()).toMatch(
    /^Error: PostgreSQL at \S+ refused the login: .* Check the user and the password of the connection string\.\n$/,
  )
  address.password = ''
  const silent = start(address.href, 'worker')
  expect(await silent.ended).toBe(3)
  expect(silent.printed()).toMatch(
    /asks for a password, and none was given\. Write it into the connection string, or set PGPASSWORD\.\n$/,
  )
})

test('a database that does not exist ends it with 3', async () => {
  const address = new URL(database.url)
  address.pathname = 'nowhere'
  const worker = start(address.href, 'worker')
  expect(await worker.ended).toBe(3)
  expect(worker.printed()).toMatch(
    /^Error: PostgreSQL answers, but the database of \S+ does not exist\. Create it/,
  )
})

test('while it waits for its database a signal ends it', async () => {
  const worker = start('postgres://ada:geheim@127.0.0.1:1/app', 'worker')
  await prints(worker, 'Waiting for the database')
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toBe(0)
  expect(worker.printed()).not.toContain('geheim')
})
