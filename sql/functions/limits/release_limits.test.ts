// The order in which limits are locked: whatever claims, ends and failures meet, none waits in a circle.
import { expect, test } from 'vitest'
import { seededDraws } from '../../../test/millrace.ts'
import { defineLimit, miscounted } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import { chain, claim, complete, connect, fail, newId, startRuns } from '../../../test/protocol.ts'

const { database } = await openMeeting()
const tasks = Number(process.env['MILLRACE_STRESS_TASKS'] ?? 3_000)

test('three workers claim and end batches of 300 tasks of thousands of keys in any order, and no lock is waited for in a circle', async () => {
  const draw = seededDraws('order')
  const keys = tasks / 2
  const worker = await workerOf(database, 'wide', chain('only'))
  const workers = [worker, await workerFor(database, 'wide'), await workerFor(database, 'wide')]
  await defineLimit(database, 'wide-key', { kind: 'concurrency', capacity: 2, key: [['n']] }, 'wide')
  await defineLimit(database, 'wide-all', { kind: 'concurrency', capacity: 700 }, 'wide')
  await defineLimit(
    database,
    'wide-rate',
    { kind: 'rate', units: 1_000_000, per_ms: 1_000, burst: 1_000_000, key: [['n']] },
    'wide',
  )
  await defineLimit(
    database,
    'wide-breaker',
    { kind: 'breaker', failures: 1_000, window_ms: 1_000, cooldown_ms: 1_000, key: [['n']] },
    'wide',
  )
  for (let n = 0; n < tasks; n += 1_000) {
    await startRuns(
      database,
      Array.from({ length: 1_000 }, (_, i) => ({
        id: newId(),
        slug: 'wide',
        input: { n: ((n + i) * 7919) % keys },
      })),
    )
  }
  const left = async () => {
    const [row] = await database.query<{ left: boolean }>(
      "select exists (select from millrace.run where slug = 'wide' and finished_at is null) as left",
    )
    return row!.left
  }
  await Promise.all(
    workers.map(async (mine) => {
      const connection = await connect(database)
      while (await left()) {
        const held = (await claim(connection, mine, 300)).toSorted(() => draw() - 0.5)
        const failing = held.filter(() => draw() < 0.02)
        if (failing.length > 0)
          await fail(
            connection,
            mine,
            failing.map((task) => ({ task, delayMs: 0 })),
          )
        const ending = held.filter((task) => !failing.includes(task))
        if (ending.length > 0)
          await complete(
            connection,
            mine,
            ending.map((task) => ({ task })),
          )
      }
      await connection.end()
    }),
  )
  expect(await miscounted(database)).toEqual([])
}, 120_000)
