// Deadlines that pass while somebody has schedules at hand: they are marked without waiting, since ends of runs would wait behind that.
import { expect, onTestFinished, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { chain, claimOne, complete, type Sql } from '../../../test/protocol.ts'
import { defineSchedule } from '../../../test/schedules.ts'

const { database, one, other } = await openMeeting()

async function fire(sql: Sql, name: string): Promise<string> {
  const [row] = await sql.query<{ run_id: string }>('select run_id from millrace.trigger_schedule($1)', [
    name,
  ])
  return row!.run_id
}

const overdue = (like: string) =>
  database.query(
    `select s.name, f.overdue_at is not null as is_overdue from millrace.firing f join millrace.schedule s on s.id = f.schedule_id
      where s.name like $1 and f.state = 'started' order by s.name`,
    [like],
  )

interface Late {
  readonly pinging: string
  /** A run of it that has ended, and of which nobody was told yet. */
  readonly ended: string
}

/** Of one pipeline a schedule that pings somebody and one that pings nobody; each has a run that is late. */
async function openLate(name: string): Promise<Late> {
  const worker = await workerOf(database, name, chain('only'))
  const settings = { every_ms: 3_600_000, deadline_ms: 60_000 }
  const pinging = `${name}-pinging`
  await defineSchedule(database, pinging, name, { ...settings, ping_url: 'https://example.com' })
  await defineSchedule(database, `${name}-silent`, name, settings)
  const ended = await fire(database, pinging)
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  await database.query('select millrace.settle_firings()')
  for (const late of [pinging, `${name}-silent`]) await fire(database, late)
  await database.clock.advance('61s')
  return { pinging, ended }
}

/** What was told is gone. */
const tell = () => database.query('delete from millrace.ping')

test.each<[string, (late: Late) => Promise<unknown>]>([
  ['fires one of them', ({ pinging }) => tell().then(() => fire(one, pinging))],
  [
    'changes one of them',
    ({ pinging }) => tell().then(() => one.query('select millrace.pause_schedule($1)', [pinging])),
  ],
  [
    'deletes a run that one of them is to tell of',
    ({ ended }) => one.query('select millrace.delete_run($1)', [ended]),
  ],
])(
  'an open transaction that %s keeps no other schedule from being overdue, and that one until it has ended',
  async (what, hold) => {
    const name = what.split(' ')[0]!
    const late = await openLate(name)
    await other.query("set lock_timeout = '1s'")
    onTestFinished(async () => {
      await other.query('reset lock_timeout')
    })
    await one.query('begin')
    await hold(late)
    expect(await other.query('select millrace.mark_overdue() as marked')).toEqual([{ marked: 1 }])
    expect(await overdue(`${name}-%`)).toEqual([
      { name: `${name}-pinging`, is_overdue: false },
      { name: `${name}-silent`, is_overdue: true },
    ])
    await one.query('rollback')
    expect(await other.query('select millrace.mark_overdue() as marked')).toEqual([{ marked: 1 }])
    expect(
      await database.query(
        `select p.signal from millrace.ping p join millrace.schedule s on s.id = p.schedule_id where s.name = $1 and p.kind = 'end'`,
        [late.pinging],
      ),
    ).toEqual([{ signal: 'fail' }])
  },
)
