// Watching a run: whoever asks hears of the end, whether it came before, after, or at that moment.
import pg from 'pg'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  cancelRun,
  chain,
  claimOne,
  complete,
  registerPipeline,
  registerWorker,
  type Sql,
  startRun,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
let listener: pg.Client
let heard: string[] = []
beforeAll(async () => {
  listener = new pg.Client(database.url)
  listener.on('error', () => {})
  listener.on('notification', (message) => heard.push(`${message.channel} ${message.payload}`))
  await listener.connect()
  await listener.query('listen millrace_end')
  await registerPipeline(database, 'watched', chain('only'))
})
afterAll(async () => {
  await listener.end()
})

const watch = async (sql: Sql, run: string): Promise<string | undefined> => {
  const [row] = await sql.query<{ state: string }>('select state from millrace.watch_run($1, $2, 60)', [
    run,
    randomUUID(),
  ])
  return row?.state
}

/** What was notified since the last look; notifications come with the answer of the next statement at the latest. */
async function notified(): Promise<string[]> {
  await listener.query('select 1')
  const found = heard
  heard = []
  return found
}

test('a watcher of a live run is notified of its end once, and one of an ended run reads it at once', async () => {
  const worker = await registerWorker(database)
  const { run_id } = await startRun(database, 'watched')
  expect(await watch(database, run_id)).toBe('pending')
  expect(await watch(database, run_id)).toBe('pending')
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect(await notified()).toEqual([`millrace_end ${run_id}`])
  expect(await watch(database, run_id)).toBe('completed')
  expect(await database.query('select from millrace.run_watch')).toEqual([])
  expect(await watch(database, '01890000-0000-7000-8000-000000000000')).toBeUndefined()
})

test('an end that nobody watches notifies nobody', async () => {
  const { run_id } = await startRun(database, 'watched')
  await cancelRun(database, run_id)
  expect(await notified()).toEqual([])
})

test('an end under way is waited for and read', async () => {
  const { run_id } = await startRun(database, 'watched')
  await one.query('begin')
  await cancelRun(one, run_id)
  const watching = watch(other, run_id)
  await untilBlocked(database)
  await one.query('commit')
  expect(await watching).toBe('cancelled')
})

test('an end that comes while somebody begins to watch sees the watcher', async () => {
  const { run_id } = await startRun(database, 'watched')
  await one.query('begin')
  expect(await watch(one, run_id)).toBe('pending')
  const cancelling = cancelRun(other, run_id)
  await untilBlocked(database)
  await one.query('commit')
  expect(await cancelling).toBe(true)
  expect(await notified()).toEqual([`millrace_end ${run_id}`])
})
