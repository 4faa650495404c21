// What why() says of a task that waits for a limit, and what the account says of one that has waited.
import { expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { chain, claim, complete, fail, pauseRun, promote, startRun } from '../../../test/protocol.ts'

const { database } = await openMeeting()

const why = async (run: string) => {
  const [row] = await database.query<{ reason: string; sentence: string; due_at: Date | null }>(
    'select reason, sentence, due_at from millrace.why($1)',
    [run],
  )
  return row!
}
const started = async (slug: string, count: number, input: unknown = { account: 'acme' }) => {
  const runs: string[] = []
  for (let n = 0; n < count; n++) runs.push((await startRun(database, slug, input)).run_id!)
  return runs
}

test('why names the rule, the key, the holders and the place of a task that waits for a slot', async () => {
  const worker = await workerOf(database, 'told', chain('only'))
  await defineLimit(database, 'geocoder', { kind: 'concurrency', capacity: 2, key: [['account']] }, 'told')
  const [one, two, three, four, five] = await started('told', 5)
  const held = await claim(database, worker, 10)
  const next = await why(three!)
  expect(next).toMatchObject({ reason: 'limit', due_at: null })
  expect(next.sentence).toMatch(
    /^'only' waits since .* for limit 'geocoder' of 'acme', which has 2 of 2 slots in use: by /,
  )
  expect(next.sentence).toContain(`'only' of run ${one}, 'only' of run ${two}; it is the next.`)
  expect((await why(four!)).sentence).toMatch(/; one other comes before it\.$/)
  expect((await why(five!)).sentence).toMatch(/; 2 others come before it\.$/)
  await pauseRun(database, three!)
  expect((await why(three!)).reason).toBe('run_paused')
  expect((await why(five!)).sentence).toMatch(/; one other comes before it\.$/)
  await complete(
    database,
    worker,
    held.map((task) => ({ task })),
  )
})

test('why names the time that a rate has given, and the account how long that took', async () => {
  const worker = await workerOf(database, 'timed', chain('only'))
  await defineLimit(database, 'mails', { kind: 'rate', units: 1, per_ms: 60_000 }, 'timed')
  const [first, second] = await started('timed', 2)
  await complete(
    database,
    worker,
    (await claim(database, worker, 10)).map((task) => ({ task })),
  )
  const told = await why(second!)
  expect(told.sentence).toMatch(/for limit 'mails', which lets it begin on /)
  expect(told.due_at).toEqual(expect.any(Date))
  await database.clock.advance('1 minute')
  await promote(database)
  await complete(
    database,
    worker,
    (await claim(database, worker, 10)).map((task) => ({ task })),
  )
  const waits = (run: string) =>
    database.query(
      "select kind, step, attempt, detail from millrace.event where run_id = $1 and kind = 'limit.waited'",
      [run],
    )
  expect(await waits(first!)).toEqual([])
  expect(await waits(second!)).toEqual([
    { kind: 'limit.waited', step: 'only', attempt: 1, detail: { limit: 'mails', key: '' } },
  ])
})

test('why says of an open breaker when it is tried', async () => {
  const worker = await workerOf(database, 'broken', chain('only'))
  await defineLimit(
    database,
    'geocoder-breaker',
    { kind: 'breaker', failures: 2, window_ms: 60_000, cooldown_ms: 30_000 },
    'broken',
  )
  const [, , third, fourth] = await started('broken', 4)
  const failing = await claim(database, worker, 2)
  await fail(
    database,
    worker,
    failing.map((task) => ({ task, delayMs: 3_600_000 })),
  )
  expect(await claim(database, worker, 10)).toEqual([])
  const told = await why(third!)
  expect(told.sentence).toMatch(
    /for limit 'geocoder-breaker', which is open after failures: one task tries it on .*; it is the next\.$/,
  )
  expect(told.due_at).toEqual(expect.any(Date))
  await database.clock.advance('31 seconds')
  await promote(database)
  expect(await claim(database, worker, 10)).toHaveLength(1)
  expect((await why(fourth!)).sentence).toMatch(/which is open, and tried by 'only' of run /)
})
