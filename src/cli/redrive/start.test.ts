// The commands on failed runs, and those that make new runs of others: what people read, what programs get, and how they end.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { until } from '../../../test/deadline.ts'
import { workAs } from '../../../test/failing-worker.ts'
import { servedApiOn } from '../../../test/http.ts'
import { countStatements } from '../../../test/millrace.ts'
import { chain, registerPipeline, registerWorker, startRun, type Worker } from '../../../test/protocol.ts'

let database: TestDatabase
const serveApi = servedApiOn({
  get url() {
    return database.url
  },
})
let folder: Caller
let worker: Worker
beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url })
  await registerPipeline(database, 'sweep', chain('load', 'send'))
  worker = await registerWorker(database)
})
afterAll(async () => {
  folder.close()
  await database.close()
})

async function failedRun(input: unknown = { state: 'TX' }): Promise<string> {
  const { run_id } = await startRun(database, 'sweep', input)
  await workAs(database, worker, (step) =>
    step === 'send' ? { fails: `No route to ${run_id}.` } : undefined,
  )
  return run_id
}

test('a failed run goes on, the second time it is refused with status 4, and the account tells both', async () => {
  const run = await failedRun()
  const first = await folder.call('run', 'redrive', run, '--reason', 'it was mended')
  expect(first).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`Run ${run} goes on where it had failed.`),
  })
  const second = await folder.call('run', 'redrive', run, '--json')
  expect(second.status).toBe(4)
  expect(JSON.parse(second.stdout)).toMatchObject({ run, redriven: false, reason: 'redriven' })
  const account = (await folder.call('run', 'account', run)).stdout.replaceAll(/\s+/g, ' ')
  expect(account).toContain('postgres redrove the run, which had failed (broken: No route to')
  expect(account).toContain('it was mended')
  await workAs(database, worker, () => undefined)
})

test('a new run takes the place of a failed one, and show tells of which it was made, and what came of it', async () => {
  const run = await failedRun()
  const answer = await folder.call(
    'run',
    'redrive',
    run,
    '--from-step',
    'load',
    '--input',
    '{"state": "OH"}',
    '--json',
  )
  const { run: made } = JSON.parse(answer.stdout)
  expect(made).not.toBe(run)
  expect((await folder.call('run', 'show', made)).stdout.replaceAll(/\s+/g, ' ')).toContain(
    `origin in the place of run ${run} from load on`,
  )
  expect((await folder.call('run', 'show', run)).stdout).toMatch(new RegExp(`redrive +run ${made}: pending`))
  const account = (await folder.call('run', 'account', made)).stdout
  expect(account).toContain('state: "TX" -> "OH"')
  expect(await folder.call('run', 'redrive', run, '--from-start', '--from-step', 'load')).toMatchObject({
    status: 2,
  })
  await workAs(database, worker, () => undefined)
})

test('runs are forked and run again, and a step that was not reached is refused with status 4', async () => {
  const { run_id: run } = await startRun(database, 'sweep', { state: 'TX' })
  expect(await folder.call('run', 'fork', run, 'send')).toMatchObject({
    status: 4,
    stdout: "No new run (not_reached): 'send' has not been reached: 'load' not final.\n",
  })
  await workAs(database, worker, () => undefined)
  const fork = JSON.parse((await folder.call('run', 'fork', run, 'send', '--json')).stdout)
  expect(fork).toMatchObject({ of: run, created: true, run: expect.any(String) })
  const again = await folder.call('run', 'rerun', run)
  expect(again.stdout).toMatch(new RegExp(`^Run ${run} runs again as run [0-9a-f-]+\\.\n`))
  await workAs(database, worker, () => undefined)
})

test('failures are listed by kind, planned, redriven by their kind, followed and aborted', async () => {
  const runs = [await failedRun(), await failedRun(), await failedRun()]
  const [kind] = JSON.parse((await folder.call('failure', 'list', '--json')).stdout)
  expect(kind).toMatchObject({ pipeline: 'sweep', step: 'send', code: 'broken', runs: 3 })
  expect((await folder.call('failure', 'list')).stdout).toContain(kind.fingerprint)
  const listed = JSON.parse(
    (await folder.call('run', 'list', '--fingerprint', kind.fingerprint, '--json')).stdout,
  )
  expect(listed.map(({ id }: { id: string }) => id).toSorted()).toEqual(runs.toSorted())

  const start = (...args: string[]) => folder.call('redrive', 'start', ...args)
  expect(await start()).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('No condition is given.'),
  })
  expect((await start('--fingerprint', kind.fingerprint, '--dry-run')).stdout).toBe(
    '3 runs would be redriven.\n',
  )
  expect((await start('--code', 'other', '--dry-run')).stdout).toBe('0 runs would be redriven.\n')
  const ordered = JSON.parse(
    (await start('--fingerprint', kind.fingerprint, '--rate', '0.5', '--json')).stdout,
  )
  expect(ordered).toMatchObject({ state: 'open', total: 3, done: 0 })
  await database.query('select * from millrace.work_redrives()')
  const shown = await folder.call('redrive', 'show', ordered.id)
  expect(shown.stdout).toBe(`Redrive ${ordered.id} is under way: 1 of 3 runs redriven.\n`)
  expect((await folder.call('redrive', 'list', '--open')).stdout).toContain(ordered.id)
  const [told] = JSON.parse((await folder.call('redrive', 'list', '--json')).stdout)
  expect(told).toMatchObject({ id: ordered.id, created_by: 'postgres', finished_at: null })
  expect(Object.keys(kind)).toEqual(expect.arrayContaining(['first_at', 'last_at', 'last_run']))
  expect((await folder.call('redrive', 'abort', ordered.id)).stdout).toContain(
    'was aborted by postgres: 1 of 3',
  )
  expect((await folder.call('redrive', 'list', '--open')).stdout).toBe('There is no such redrive.\n')
  expect(await folder.call('redrive', 'show', 'nonsense')).toMatchObject({ status: 4 })
  await workAs(database, worker, () => undefined)
})

test('a redrive that is waited for ends with status 4 where a run of it was refused, or somebody aborted it', async () => {
  await failedRun()
  const wait = (...args: string[]) =>
    folder.call('redrive', 'start', '--pipeline', 'sweep', '--wait', ...args)
  const refused = wait('--from-step', 'nowhere')
  await until('its runs are refused', async () => {
    const [turn] = await database.query<{ worked: number }>('select worked from millrace.work_redrives()')
    return turn!.worked > 0
  })
  expect(await refused).toMatchObject({
    status: 4,
    stdout: expect.stringMatching(/: 0 of \d+ runs? redriven, \d+ refused\.\n$/),
  })

  const aborted = wait('--json')
  const id = await until('it is ordered', async () => {
    const [open] = await database.query<{ id: string }>(
      `select id from millrace.redrive where finished_at is null`,
    )
    return open?.id
  })
  await folder.call('redrive', 'abort', id)
  const told = await aborted
  expect(told.status).toBe(4)
  expect(JSON.parse(told.stdout)).toMatchObject({ id, state: 'aborted' })
})

test('JQ-10 a change with the revision that was seen ends with status 4 where somebody was faster', async () => {
  const { run_id: run } = await startRun(database, 'sweep', { state: 'TX' })
  expect(await folder.call('run', 'prioritize', run, '1', '--if-revision', '0')).toMatchObject({
    status: 0,
    stdout: `Run ${run} has priority 1.\n`,
  })
  expect(await folder.call('run', 'cancel', run, '--if-revision', '0')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('you saw its revision 0, and it is at 1'),
  })
  expect((await folder.call('run', 'show', run)).stdout).toContain('revision  1')
  expect(await folder.call('run', 'cancel', run, '--if-revision', '1')).toMatchObject({ status: 0 })
  expect(await folder.call('pipeline', 'pause', 'sweep', '--if-revision', '7')).toMatchObject({ status: 4 })
})

test('who waits for a redrive over HTTP asks the server each five seconds, of which a key has enough for an hour', async () => {
  await failedRun()
  const { url } = await serveApi({ ann: { role: 'operator' } })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  const statements = countStatements()
  const looks = () => statements.sent.filter((name) => name === 'millrace_read_redrive').length
  try {
    const waiting = remote.call('redrive', 'start', '--all', '--wait')
    await until('the first look was taken', () => looks() > 0)
    const begun = performance.now()
    await database.query('select * from millrace.work_redrives()')
    expect((await waiting).stdout).toContain('is through')
    expect(performance.now() - begun).toBeGreaterThan(4_000)
  } finally {
    statements.stop()
    remote.close()
  }
  await workAs(database, worker, () => undefined)
})
