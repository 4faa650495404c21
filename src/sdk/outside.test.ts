// Executors outside: the protocol, the fence, and the work that goes on without the database.
import { afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { createLogin } from '../../test/login.ts'
import { openMillrace } from '../../test/millrace.ts'
import { attemptsOf, newId, runOf, sweep } from '../../test/protocol.ts'
import { tellAccount } from '../core/account.ts'
import type { MillraceError } from '../core/errors.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import { registerPipeline } from '../db/pipelines.ts'
import { connectOutside, type Outside, type OutsideOptions } from './outside.ts'
import { pipeline } from './pipeline.ts'
import type { Hold } from './report-buffer.ts'

const { database, opened } = await openMillrace()
const outsides: Outside[] = []

// Its steps are worked on outside; no worker ever serves it.
const imported = pipeline('imported', {
  input: z.object({ file: z.string() }),
  key: 'file',
  retry: { initial: 0 },
})
  .step('fetch', () => null)
  .step('store', () => null)

beforeAll(async () => {
  await registerPipeline(
    poolCaller(database.pool, { prepare: false, database: 'test' }),
    imported.slug,
    imported.graph,
  )
})
afterEach(async () => {
  await Promise.all(outsides.splice(0).map((outside) => outside.close()))
})

function outsideOf(options: Partial<OutsideOptions> = {}): Outside {
  const outside = connectOutside({ database: database.url, name: 'importer', ...options })
  outsides.push(outside)
  return outside
}

let files = 0
const newFile = () => ({ file: `file ${files++}` })

async function begun(outside: Outside): Promise<{ id: string; hold: Hold }> {
  const { run } = await outside.ensureRun('imported', newFile())
  return { id: run!.id, hold: await taken(outside, run!.id, 'fetch') }
}

async function taken(outside: Outside, runId: string, step: string, item?: number): Promise<Hold> {
  const answer = await outside.startStep(runId, step, {
    leaseSeconds: 60,
    ...(item !== undefined && { item }),
  })
  if (!answer.started) throw new Error(answer.reason)
  return answer.hold
}

const events = (id: string, kind: string) =>
  database.query<{ detail: Record<string, unknown> }>(
    'select detail from millrace.event where run_id = $1 and kind = $2 order by id',
    [id, kind],
  )

test('an executor outside reports a run from its beginning to its end, and its account holds every step', async () => {
  const outside = outsideOf()
  const input = newFile()
  const first = await outside.ensureRun('imported', input, { headers: { trace: 't' } })
  expect(first.created).toBe(true)
  const id = first.run!.id
  expect(await outside.ensureRun('imported', input)).toEqual({ created: false, reason: 'live', run: { id } })
  expect(await outside.startStep(id, 'store')).toEqual({ started: false, reason: 'not ready' })
  const fetching = await taken(outside, id, 'fetch')
  expect(await outside.startStep(id, 'fetch')).toEqual({ started: false, reason: 'held' })
  expect(await outside.heartbeat(fetching)).toBe(true)
  await outside.log(fetching, 'half of it', { rows: 5 })
  expect(await outside.complete(fetching, { rows: 10 })).toBe('recorded')
  expect(await outside.complete(fetching, { rows: 10 })).toBe('repeated')
  await expect(outside.completeRun(id)).rejects.toMatchObject({ code: 'run_unfinished' })
  const storing = await taken(outside, id, 'store')
  await outside.release(storing, 'not now')
  expect(await outside.complete(await taken(outside, id, 'store'), 'stored')).toBe('recorded')
  expect(await outside.completeRun(id)).toBe('completed')
  expect(await runOf(database, id)).toMatchObject({ state: 'completed', output: 'stored' })
  expect(await events(id, 'step.log')).toEqual([{ detail: { message: 'half of it', fields: { rows: 5 } } }])
})

test("a failure is tried again by the step's policy, one without another try fails the run, and cancelled work is told to stop", async () => {
  const outside = outsideOf()
  const { id, hold } = await begun(outside)
  expect(await outside.fail(hold, new Error('no network'))).toEqual({ retryAt: expect.any(Date) })
  const second = await taken(outside, id, 'fetch')
  expect(second.attempt).toBe(2)
  await opened.client().run(id).cancel()
  expect(await outside.heartbeat(second)).toBe(false)
  const other = await begun(outside)
  expect(await outside.completeRun(other.id, new Error('given up'))).toBe('failed')
  await expect(outside.completeRun(newId())).rejects.toMatchObject({ code: 'run_unknown' })
})

test('PP-C10 an unknown step is an error that names it', async () => {
  const outside = outsideOf()
  const { id } = await begun(outside)
  await expect(outside.startStep(id, 'nonsense')).rejects.toMatchObject({
    code: 'step_not_in_run',
    message: expect.stringContaining("'nonsense'"),
  })
})

test('PP-C17 an executor outside that dies is found by its deadline: the step is tried again, and its own late report is refused', async () => {
  const outside = outsideOf()
  await database.clock.freeze()
  await database.clock.advance('1 hour')
  const { id, hold } = await begun(outside)
  await database.clock.advance('59 seconds')
  await outside.heartbeat(hold)
  await database.clock.advance('59 seconds')
  await sweep(database)
  expect(await attemptsOf(database, id)).toEqual([])
  await database.clock.advance('2 seconds')
  await sweep(database)
  const [attempt] = await database.query(
    'select outcome, error, retry_at is not null as again from millrace.attempt where run_id = $1',
    [id],
  )
  expect(attempt).toMatchObject({ outcome: 'reclaimed', error: { code: 'executor_gone' }, again: true })
  await expect(outside.complete(hold, 'late')).rejects.toMatchObject({ code: 'attempt_lost' })
  await expect(outside.log(hold, 'late')).rejects.toMatchObject({ code: 'attempt_lost' })
  await expect(outside.heartbeat(hold)).rejects.toMatchObject({ code: 'attempt_lost' })
  expect((await taken(outside, id, 'fetch')).attempt).toBe(2)
})

test('PP-C17 a run ends when its steps are final, without anybody saying so, and one that falls silent fails', async () => {
  const outside = outsideOf()
  await database.clock.freeze()
  await database.clock.advance('1 hour')
  const { id, hold } = await begun(outside)
  await outside.complete(hold, 1)
  await outside.complete(await taken(outside, id, 'store'), 2)
  expect(await runOf(database, id)).toMatchObject({ state: 'completed', output: 2 })
  const silent = await outside.ensureRun('imported', newFile(), { silenceSeconds: 30 })
  await database.clock.advance('31 seconds')
  await sweep(database)
  expect(await runOf(database, silent.run!.id)).toMatchObject({
    state: 'failed',
    error: { code: 'run_silent' },
  })
})

test('PP-C7 the answer to the start of a step is lost: asked again, it is the same attempt', async () => {
  const proxy = await openProxy(database.url)
  const outside = outsideOf({ database: proxy.through(database.url) })
  const { run } = await outside.ensureRun('imported', newFile())
  const lost = proxy.loseAnswerTo('millrace_start_step').then(async () => {
    await until(
      'the step is taken',
      async () =>
        (
          await database.query('select 1 from millrace.task where run_id = $1 and worker_id is not null', [
            run!.id,
          ])
        ).length === 1,
    )
    proxy.cut()
  })
  const hold = await taken(outside, run!.id, 'fetch')
  await lost
  expect(hold.attempt).toBe(1)
  expect(await outside.complete(hold)).toBe('recorded')
  await outside.close()
  await proxy.close()
})

test('PP-C16 with the database away the work goes on, and its reports arrive later, in order, with the gap in the account', async () => {
  const proxy = await openProxy(database.url)
  let now = 0
  const outside = outsideOf({
    database: proxy.through(database.url),
    bestEffort: { bufferMax: 100, monotonic: () => now },
  })
  const { id, hold } = await begun(outside)
  proxy.refuse()
  proxy.cut()
  await outside.log(hold, 'first')
  now = 90_000
  expect(await outside.heartbeat(hold)).toBe(true)
  await outside.log(hold, 'second')
  expect(await outside.complete(hold, 'fetched')).toBe('buffered')
  const away = await outside.startStep(id, 'store')
  expect(away).toMatchObject({ started: true, hold: { step: 'store', attempt: null } })
  if (!away.started) return
  await outside.log(away.hold, 'third')
  expect(await outside.complete(away.hold, 'stored')).toBe('buffered')
  expect(await outside.completeRun(id)).toBe('buffered')
  expect(await outside.flush()).toBe(false)
  proxy.heal()
  await until('all is sent', () => outside.flush())
  expect(await runOf(database, id)).toMatchObject({ state: 'completed', output: 'stored' })
  expect((await events(id, 'step.log')).map(({ detail }) => detail['message'])).toEqual([
    'first',
    'second',
    'third',
  ])
  const [gap, ...others] = await events(id, 'run.report_gap')
  expect(others).toEqual([])
  expect(gap!.detail).toMatchObject({ count: 7, refused: 0, dropped: 0 })
  const told = tellAccount(
    await runAccount(poolCaller(database.pool, { prepare: false, database: 'test' }), id),
  )
  expect(told.replaceAll(/\s+/g, ' ')).toMatch(
    /could not reach the database from .* 7 reports came late, 0 were refused/,
  )
  expect(Date.parse(String(gap!.detail['to'])) - Date.parse(String(gap!.detail['from']))).toBe(90_000)
  await outside.close()
  await proxy.close()
})

test('PP-C16 a whole run that was worked on without the database is there afterwards, and joins the live one of its key', async () => {
  const proxy = await openProxy(database.url)
  const outside = outsideOf({ database: proxy.through(database.url), bestEffort: { bufferMax: 100 } })
  const input = newFile()
  proxy.refuse()
  const answer = await outside.ensureRun('imported', input)
  expect(answer).toMatchObject({ created: false, reason: 'away', run: { id: expect.any(String) } })
  const provisional = answer.run!.id
  const holds: Hold[] = []
  for (const step of ['fetch', 'store']) {
    const hold = await taken(outside, provisional, step)
    holds.push(hold)
    await outside.complete(hold, step)
  }
  const live = await outsideOf().ensureRun('imported', input)
  proxy.heal()
  await until('all is sent', () => outside.flush())
  expect(live.run!.id).not.toBe(provisional)
  expect(await runOf(database, live.run!.id)).toMatchObject({ state: 'completed', output: 'store' })
  expect(await events(live.run!.id, 'run.report_gap')).toHaveLength(1)
  // What was given out without the database is good afterwards as well.
  expect(await outside.complete(holds[1]!, 'store')).toBe('repeated')
  expect(await outside.completeRun(provisional)).toBe('completed')
  await outside.close()
  await proxy.close()
})

test('PP-C16 what comes late is fenced: a step that was taken over meanwhile keeps its new owner, and the account says what was refused', async () => {
  const proxy = await openProxy(database.url)
  const outside = outsideOf({ database: proxy.through(database.url), bestEffort: { bufferMax: 100 } })
  await database.clock.freeze()
  await database.clock.advance('1 hour')
  const { id, hold } = await begun(outside)
  proxy.refuse()
  proxy.cut()
  await outside.log(hold, 'into the void')
  await outside.complete(hold, 'mine')
  await database.clock.advance('61 seconds')
  await sweep(database)
  const other = outsideOf({ name: 'another' })
  const theirs = await taken(other, id, 'fetch')
  proxy.heal()
  await until('all is sent', () => outside.flush())
  expect((await events(id, 'run.report_gap'))[0]!.detail).toMatchObject({ count: 0, refused: 2, dropped: 0 })
  expect(await events(id, 'step.log')).toEqual([])
  expect(await other.complete(theirs, 'theirs')).toBe('recorded')
  await outside.close()
  await proxy.close()
})

test('PP-C16 the buffer is bounded: log lines go first, then what is new, and the account tells how many', async () => {
  const proxy = await openProxy(database.url)
  const dropped: MillraceError[] = []
  const outside = outsideOf({
    database: proxy.through(database.url),
    bestEffort: { bufferMax: 3, onDropped: (error) => dropped.push(error) },
  })
  const { id, hold } = await begun(outside)
  proxy.refuse()
  proxy.cut()
  for (const line of ['a', 'b', 'c', 'd']) await outside.log(hold, line)
  expect(await outside.complete(hold, 'fetched')).toBe('buffered')
  expect(dropped.map(({ code }) => code)).toEqual(['report_buffer_full', 'report_buffer_full'])
  proxy.heal()
  await until('all is sent', () => outside.flush())
  expect((await events(id, 'step.log')).map(({ detail }) => detail['message'])).toEqual(['c', 'd'])
  expect((await events(id, 'run.report_gap'))[0]!.detail).toMatchObject({ count: 3, dropped: 2 })
  expect((await attemptsOf(database, id))[0]).toMatchObject({ outcome: 'completed' })
  await outside.close()
  await proxy.close()
})

test('PP-C16 a database that is silent, instead of refusing connections, holds up the first call alone', async () => {
  const proxy = await openProxy(database.url)
  const outside = outsideOf({ database: proxy.through(database.url), bestEffort: { bufferMax: 100 } })
  proxy.blackhole()
  const answer = await outside.ensureRun('imported', newFile())
  const hold = await taken(outside, answer.run!.id, 'fetch')
  for (let line = 1; line <= 50; line++) await outside.log(hold, `line ${line}`)
  expect(await outside.heartbeat(hold)).toBe(true)
  expect(await outside.complete(hold)).toBe('buffered')
  proxy.heal()
  await until('all is sent', () => outside.flush())
  expect(await attemptsOf(database, answer.run!.id)).toMatchObject([{ outcome: 'completed' }])
  expect(await events(answer.run!.id, 'step.log')).toHaveLength(50)
  await outside.close()
  await proxy.close()
})

test.each([
  ['a right is missing for a while', 'revoke millrace_worker from $', 'grant millrace_worker to $'],
  ['nobody is let in for a while', 'alter role $ nologin', 'alter role $ login'],
])('PP-C16 where %s, what was kept stays kept, and is sent afterwards', async (_, taking, giving) => {
  const login = await createLogin(database, 'millrace_worker')
  const proxy = await openProxy(login.url)
  const outside = outsideOf({ database: proxy.through(login.url), bestEffort: { bufferMax: 100 } })
  const { id, hold } = await begun(outside)
  proxy.refuse()
  proxy.cut()
  await outside.log(hold, 'kept')
  expect(await outside.complete(hold, 'fetched')).toBe('buffered')
  const role = new URL(login.url).username
  await database.query(taking.replace('$', role))
  proxy.heal()
  for (let n = 0; n < 3; n++) expect(await outside.flush()).toBe(false)
  await database.query(giving.replace('$', role))
  await until('all is sent', () => outside.flush())
  expect(await events(id, 'step.log')).toHaveLength(1)
  expect((await attemptsOf(database, id))[0]).toMatchObject({ outcome: 'completed' })
  expect((await events(id, 'run.report_gap'))[0]!.detail).toMatchObject({ count: 2, refused: 0, dropped: 0 })
  await outside.close()
  await proxy.close()
  await login.close()
})

test('without best effort a report that cannot be sent rejects', async () => {
  const proxy = await openProxy(database.url)
  const outside = outsideOf({ database: proxy.through(database.url) })
  const { hold } = await begun(outside)
  proxy.refuse()
  proxy.cut()
  await expect(outside.complete(hold, 1)).rejects.toMatchObject({ code: 'database_unreachable' })
  proxy.heal()
  expect(await outside.complete(hold, 1)).toBe('recorded')
  await outside.close()
  await proxy.close()
})

test('PP-C17 a function that keeps its own state beside it adopts the protocol: it is cut short, called again, and goes on where it was', async () => {
  await database.query('create table import_state (file text primary key, page int not null, hold jsonb)')
  await database.clock.freeze()
  await database.clock.advance('1 hour')
  const outside = outsideOf()
  const pages = 5

  /** One call of the function: it works on a few pages and is cut short, as a function with a time limit is. */
  const importFile = async (
    file: string,
    pagesBeforeTheEnd: number,
  ): Promise<'done' | 'cut short' | 'not mine'> => {
    const { run } = await outside.ensureRun('imported', { file })
    await database.query('insert into import_state values ($1, 0, null) on conflict do nothing', [file])
    const [state] = await database.query<{ page: number; hold: Hold | null }>(
      'select page, hold from import_state where file = $1',
      [file],
    )
    let hold = state!.hold
    if (hold !== null && !(await outside.heartbeat(hold).catch(() => false))) hold = null
    if (hold === null) {
      const answer = await outside.startStep(run!.id, 'fetch', { leaseSeconds: 60 })
      if (!answer.started) return 'not mine'
      hold = answer.hold
      await database.query('update import_state set hold = $2 where file = $1', [file, JSON.stringify(hold)])
    }
    for (let page = state!.page; page < pages; page++) {
      if (pagesBeforeTheEnd-- === 0) return 'cut short'
      await database.query('update import_state set page = $2 where file = $1', [file, page + 1])
      await outside.log(hold, `page ${page}`)
    }
    await outside.complete(hold, { pages })
    return 'done'
  }

  const { file } = newFile()
  const { run } = await outside.ensureRun('imported', { file })
  expect(await importFile(file, 2)).toBe('cut short')
  expect(await importFile(file, 1)).toBe('cut short')
  await database.clock.advance('61 seconds')
  await sweep(database)
  expect(await importFile(file, 1)).toBe('cut short')
  expect(await importFile(file, 9)).toBe('done')
  expect(await importFile(file, 9)).toBe('not mine')
  const lines = (await events(run!.id, 'step.log')).map(({ detail }) => detail['message'])
  expect(lines).toEqual([0, 1, 2, 3, 4].map((page) => `page ${page}`))
  expect((await attemptsOf(database, run!.id, 'fetch')).map(({ outcome }) => outcome)).toEqual([
    'reclaimed',
    'completed',
  ])
})

test('an executor outside undoes a map item by item', async () => {
  const steps = [
    { name: 'list' },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
    { name: 'last', after: ['each'], max_attempts: 1 },
    { name: 'undo-each', kind: 'undo', undoes: 'each' },
  ]
  await database.query("select millrace.register_pipeline('undone-outside', $1)", [JSON.stringify({ steps })])
  const outside = outsideOf()
  const id = (await outside.ensureRun('undone-outside', {})).run!.id
  await outside.complete(await taken(outside, id, 'list'), ['x', 'y'])
  for (const item of [0, 1]) await outside.complete(await taken(outside, id, 'each', item), item)
  await outside.fail(await taken(outside, id, 'last'), new Error('No.'))
  await expect(outside.startStep(id, 'undo-each')).rejects.toMatchObject({ code: 'argument_invalid' })
  for (const item of [0, 1]) await outside.complete(await taken(outside, id, 'undo-each', item), null)
  expect((await runOf(database, id)).state).toBe('failed')
})
