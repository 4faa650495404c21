// Ends where a limit has many slots in use: they wait for no claim, and no claim for them; what is counted is never too little, and who waits is called.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, limitsOf, miscounted, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  type ClaimedTask,
  completeAll,
  connect,
  newId,
  type Sql,
  startRuns,
  startStep,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

const concurrency = (capacity: number) => ({ kind: 'concurrency', capacity })

const start = (slug: string, count: number) =>
  startRuns(
    database,
    Array.from({ length: count }, (_, n) => ({ id: newId(), slug, input: n })),
  )

/** A pipeline under a rule, of which 20 slots are in use. */
async function crowded(
  slug: string,
  settings: ReturnType<typeof concurrency>,
): Promise<{ worker: Worker; held: ClaimedTask[] }> {
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, slug, settings, slug)
  await start(slug, 21)
  const [first, ...held] = await claim(database, worker, 20)
  // The first end finds them in use, and makes the seats.
  await completeAll(database, worker, [first!])
  return { worker, held: [...held, ...(await claim(database, worker, 1))] }
}

test('where many slots are in use, ends wait for no claim under way, and claims for no end', async () => {
  const { worker, held } = await crowded('free', concurrency(100))
  await start('free', 30)
  await one.query('begin')
  expect(await claim(one, worker, 10)).toHaveLength(10)
  await completeAll(other, worker, held.slice(0, 5))
  await one.query('commit')
  expect(await limitsOf(database, 'free')).toEqual([{ key: '', used: 25, waiting: 0 }])
  await one.query('begin')
  await completeAll(one, worker, held.slice(5, 10))
  expect(await claim(other, worker, 10)).toHaveLength(10)
  await completeAll(other, worker, held.slice(10, 15))
  expect(await limitsOf(database, 'free')).toEqual([{ key: '', used: 30, waiting: 0 }])
  await one.query('commit')
  expect(await limitsOf(database, 'free')).toEqual([{ key: '', used: 25, waiting: 0 }])
})

test('a claim that finds no room waits for the ends under way, and takes no more than they give', async () => {
  const { worker, held } = await crowded('full', sharedKey(20))
  await start('full', 10)
  await one.query('begin')
  await completeAll(one, worker, held.slice(0, 4))
  const meanwhile = claim(other, worker, 10)
  await untilBlocked(database)
  await one.query('commit')
  expect(await meanwhile).toHaveLength(4)
  expect(await limitsOf(database, 'full')).toEqual([{ key: 'null', used: 20, waiting: 6 }])
})

test('an end that meets a claim whose tasks begin to wait calls as many as it leaves room for', async () => {
  const { worker, held } = await crowded('joined', sharedKey(20))
  await start('joined', 10)
  await one.query('begin')
  expect(await claim(one, worker, 10)).toEqual([])
  const meanwhile = completeAll(other, worker, held.slice(0, 3))
  await untilBlocked(database)
  await one.query('commit')
  await meanwhile
  expect(await claim(database, worker, 10)).toHaveLength(3)
  expect(await limitsOf(database, 'joined')).toEqual([{ key: 'null', used: 20, waiting: 7 }])
  await completeAll(database, worker, held.slice(3))
  expect(await claim(database, worker, 10)).toHaveLength(7)
})

test('in a storm of claims and ends at the edge of a limit it is never exceeded, and nobody who waits is forgotten without a sweep', async () => {
  const worker = await workerOf(database, 'edge', chain('only'))
  const workers = [worker, await workerFor(database, 'edge'), await workerFor(database, 'edge')]
  await defineLimit(database, 'edge', concurrency(40), 'edge')
  await start('edge', 1_000)
  const left = async (sql: Sql) =>
    (await sql.query("select from millrace.run where slug = 'edge' and finished_at is null limit 1")).length >
    0
  await Promise.all(
    workers.map(async (mine, n) => {
      const connection = await connect(database)
      while (await left(connection)) {
        await completeAll(connection, mine, await claim(connection, mine, 13 + n))
        expect(await miscounted(connection)).toEqual([])
      }
      await connection.end()
    }),
  )
})

test('a rule that comes while a task ends does not count it, and one that goes or is forgotten takes its seats along', async () => {
  const { worker, held } = await crowded('short', concurrency(100))
  await one.query('begin')
  await completeAll(one, worker, held.slice(0, 10))
  const defined = defineLimit(other, 'second', concurrency(50), 'short')
  await untilBlocked(database)
  await one.query('commit')
  await defined
  expect(await limitsOf(database, 'second')).toEqual([{ key: '', used: 10, waiting: 0 }])
  await completeAll(database, worker, held.slice(10))
  const seats = () => database.query('select from millrace.limit_end')
  expect(await seats()).not.toHaveLength(0)
  await database.query("select millrace.remove_limit('short')")
  await database.clock.advance('61m')
  await database.query('select millrace.prune_history()')
  const held_states = await database.query<{ key: string; used: number }>(
    "select s.key from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name in ('short', 'second')",
  )
  expect(held_states).toEqual([])
})

test('executors outside that end one step and begin another in one transaction wait for each other, and for no one in a circle', async () => {
  await crowded('outside', concurrency(100))
  const runs = Array.from({ length: 4 }, () => newId())
  await startRuns(
    database,
    runs.map((id) => ({ id, slug: 'outside' })),
  )
  const [first, second] = [
    await startStep(database, runs[0]!, 'only'),
    await startStep(database, runs[1]!, 'only'),
  ]
  const end = (sql: Sql, run: string, attempt: number) =>
    sql.query("select millrace.complete_step($1, 'only', $2)", [run, attempt])
  await one.query('begin')
  await other.query('begin')
  await end(one, runs[0]!, first.attempt!)
  const meanwhile = end(other, runs[1]!, second.attempt!).then(() => startStep(other, runs[3]!, 'only'))
  await untilBlocked(database)
  expect(await startStep(one, runs[2]!, 'only')).toMatchObject({ started: true })
  await one.query('commit')
  expect(await meanwhile).toMatchObject({ started: true })
  await other.query('commit')
  expect(await limitsOf(database, 'outside')).toEqual([{ key: '', used: 22, waiting: 0 }])
})

test('who waits for a limit and has no worker is called when one comes, whatever else was judged meanwhile', async () => {
  const mine = await workerOf(database, 'left-alone', chain('only'), { leaseSeconds: 10 })
  const others = await workerOf(database, 'served', chain('only'))
  await defineLimit(database, 'shared', concurrency(1), [{ slug: 'left-alone' }, { slug: 'served' }])
  await start('served', 1)
  const first = await claim(database, others, 1)
  await start('left-alone', 1)
  expect(await claim(database, mine, 1)).toEqual([])
  await database.clock.advance('15s')
  await completeAll(database, others, first)
  await start('served', 1)
  const second = await claim(database, others, 1)
  expect(second).toHaveLength(1)
  await completeAll(database, others, second)
  expect(await claim(database, await workerFor(database, 'left-alone'), 1)).toHaveLength(1)
})
