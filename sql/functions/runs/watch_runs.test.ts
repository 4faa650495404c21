// Watching runs together: each end is told or read, and nobody who holds one of them is waited for.
import pg from 'pg'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  cancelRun,
  chain,
  newId,
  registerPipeline,
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
  listener.on('notification', (message) => heard.push(message.payload ?? ''))
  await listener.connect()
  await listener.query('listen millrace_end')
  await registerPipeline(database, 'watched', chain('only'))
})
afterAll(() => listener.end())

const watch = (sql: Sql, runs: readonly string[]) =>
  sql.query<{ id: string; registered: boolean; state: string }>(
    'select id, registered, state from millrace.watch_runs($1, $2, 60) order by id',
    [runs, randomUUID()],
  )

const start = async (): Promise<string> => (await startRun(database, 'watched')).run_id

/** Whose ends were notified since the last look; notifications come with the answer of the next statement at the latest. */
async function notified(): Promise<string[]> {
  await listener.query('select 1')
  const found = heard
  heard = []
  return found
}

test('of live runs the ends are told, of ended ones the state is there, and an unknown one is left out', async () => {
  const [first, second, ended] = [await start(), await start(), await start()]
  await cancelRun(database, ended)
  expect(await watch(database, [second, ended, newId(), first, first])).toEqual([
    { id: first, registered: true, state: 'pending' },
    { id: second, registered: true, state: 'pending' },
    { id: ended, registered: false, state: 'cancelled' },
  ])
  await cancelRun(database, second)
  expect(await notified()).toEqual([second])
  await cancelRun(database, first)
  expect(await notified()).toEqual([first])
  expect(await database.query('select from millrace.run_watch')).toEqual([])
})

test('an end under way is not waited for: that run is to be asked for again, the others are registered', async () => {
  const [ending, other] = [await start(), await start()]
  await one.query('begin')
  await cancelRun(one, ending)
  expect(await watch(database, [ending, other])).toEqual([
    { id: ending, registered: false, state: 'pending' },
    { id: other, registered: true, state: 'pending' },
  ])
  await one.query('commit')
  expect(await watch(database, [ending])).toEqual([{ id: ending, registered: false, state: 'cancelled' }])
})

test('an end that comes while somebody begins to watch sees the watcher', async () => {
  const run = await start()
  await notified()
  await one.query('begin')
  expect(await watch(one, [run])).toEqual([{ id: run, registered: true, state: 'pending' }])
  const cancelling = cancelRun(other, run)
  await untilBlocked(database)
  await one.query('commit')
  expect(await cancelling).toBe(true)
  expect(await notified()).toEqual([run])
})

test('two processes that watch the same runs in another order wait for nobody, and both are told', async () => {
  const [first, second] = [await start(), await start()]
  await one.query('begin')
  await other.query('begin')
  for (const [sql, runs] of [
    [one, [first, second]],
    [other, [second, first]],
  ] as const)
    expect((await watch(sql, runs)).map(({ registered }) => registered)).toEqual([true, true])
  await one.query('commit')
  await other.query('commit')
  expect(
    await database.query('select run_id from millrace.run_watch where run_id = any ($1)', [[first, second]]),
  ).toHaveLength(4)
})
