// Limits hold for executors outside as for workers: they are judged when they take a step, and give back what they took.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, limitsOf, miscounted } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  complete,
  promote,
  registerPipeline,
  startRun,
  startStep,
  sweep,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
  await database.clock.reset()
})

const started = async (slug: string, count: number) => {
  const runs: string[] = []
  for (let n = 0; n < count; n++) runs.push((await startRun(database, slug)).run_id!)
  return runs
}
const take = (run: string, leaseSeconds = 300) => startStep(database, run, 'only', { leaseSeconds })

test('an executor outside is told to wait for a limit, and gives back at each end', async () => {
  await registerPipeline(database, 'outside', chain('only'))
  await defineLimit(database, 'outside', { kind: 'concurrency', capacity: 1 }, 'outside')
  const [first, second, third, fourth] = (await started('outside', 4)) as [string, string, string, string]
  const held = await take(first)
  expect(held).toMatchObject({ started: true, attempt: 1 })
  expect(await take(second)).toMatchObject({ started: false, reason: 'limit' })
  expect(await take(second)).toMatchObject({ started: false, reason: 'limit' })
  expect(await limitsOf(database, 'outside')).toEqual([{ key: '', used: 1, waiting: 3 }])
  await database.query("select millrace.complete_step($1, 'only', $2, 'null')", [first, held.attempt])

  const failing = await take(second)
  expect(failing).toMatchObject({ started: true })
  expect(await take(third)).toMatchObject({ started: false, reason: 'limit' })
  await database.query("select millrace.fail_step($1, 'only', $2, $3)", [
    second,
    failing.attempt,
    '{"code": "x", "message": "no", "retryable": false}',
  ])

  const released = await take(third)
  expect(released).toMatchObject({ started: true })
  expect(await take(fourth)).toMatchObject({ started: false, reason: 'limit' })
  await database.query("select millrace.release_step($1, 'only', $2)", [third, released.attempt])

  expect(await take(fourth, 10)).toMatchObject({ started: true })
  expect(await take(third)).toMatchObject({ started: false, reason: 'limit' })
  await database.clock.advance('1 minute')
  await sweep(database)
  expect(await limitsOf(database, 'outside')).toMatchObject([{ used: 0 }])
  expect(await take(third)).toMatchObject({ started: true })
})

test('an executor outside does not go before a task that a worker may take', async () => {
  const worker = await workerOf(database, 'mixed', chain('only'))
  await defineLimit(database, 'mixed', { kind: 'concurrency', capacity: 1 }, 'mixed')
  const [first, second, third] = (await started('mixed', 3)) as [string, string, string]
  const held = await take(first)
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await take(third)).toMatchObject({ started: false, reason: 'limit' })
  await database.query("select millrace.complete_step($1, 'only', $2, 'null')", [first, held.attempt])
  const next = await claim(database, worker, 10)
  expect(next.map(({ run_id }) => run_id)).toEqual([second])
  await complete(
    database,
    worker,
    next.map((task) => ({ task })),
  )
  expect(await claim(database, worker, 10)).toHaveLength(1)
})

test('a rate gives an executor outside its time as well', async () => {
  await registerPipeline(database, 'paced', chain('only'))
  await defineLimit(database, 'paced', { kind: 'rate', units: 1, per_ms: 10_000 }, 'paced')
  const [first, second] = (await started('paced', 2)) as [string, string]
  expect(await take(first)).toMatchObject({ started: true })
  expect(await take(second)).toMatchObject({ started: false, reason: 'limit' })
  await database.clock.advance('9 seconds')
  expect(await take(second)).toMatchObject({ started: false, reason: 'limit' })
  await database.clock.advance('1 second')
  await promote(database)
  expect(await take(second)).toMatchObject({ started: true })
})

test('an executor outside that takes a step under a strict order and another rule waits for nobody in a circle', async () => {
  await registerPipeline(database, 'both-rules', chain('only'))
  await defineLimit(database, 'slots', { kind: 'concurrency', capacity: 9 }, 'both-rules')
  const order = { kind: 'concurrency', capacity: 1, key: [['n']], fifo: 'block' }
  await defineLimit(database, 'order', order, 'both-rules')
  // A key whose state comes after that of the other rule, as whoever ends locks them.
  const [key] = await database.query<{ n: string }>(
    `select n::text from generate_series(1, 1000) n, millrace.limit_rule o, millrace.limit_rule s
      where o.name = 'order' and s.name = 'slots' and millrace.limit_state_id(o.id, n::text) > millrace.limit_state_id(s.id, '') order by n limit 1`,
  )
  const [first, second] = [
    await startRun(database, 'both-rules', { n: key!.n }),
    await startRun(database, 'both-rules', { n: key!.n }),
  ]
  const held = await take(first.run_id)
  expect(held).toMatchObject({ started: true })
  await database.query("select millrace.complete_step($1, 'only', $2, 'null')", [first.run_id, held.attempt])
  const lock = (name: string) =>
    one.query(
      'select from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = $1 for update of s',
      [name],
    )
  await one.query('begin')
  await lock('slots')
  const taking = startStep(other, second.run_id, 'only')
  await untilBlocked(database)
  await lock('order')
  await one.query('commit')
  expect(await taking).toMatchObject({ started: true })
})
