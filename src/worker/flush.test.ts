// Outcomes on their way: batches that form by themselves, halves, and a database that is away.
import { expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { Arrival } from '../../test/millrace.ts'
import { MillraceError } from '../core/errors.ts'
import type { Statement } from '../db/call.ts'
import type { CompletedRow } from '../db/tasks.ts'
import { Flush, isPassing } from './flush.ts'
import type { HeldTask } from './held-task.ts'

const taskOf = (taskId: number) => ({ taskId, priority: 5 }) as HeldTask
const rowOf = (taskId: number): CompletedRow => ({
  taskId,
  stepId: 1,
  attempt: 1,
  output: `${taskId}`,
  skipReason: null,
  writes: null,
  watched: false,
})

/** A flush over a database that answers as it is told; `batches` are the ids of each call. */
function flushOver(answer: (ids: number[]) => Promise<unknown[]>, uncertain = async () => {}) {
  const batches: number[][] = []
  const completed: number[] = []
  const failed: number[] = []
  const refused: Array<[number, string]> = []
  const broken: unknown[] = []
  const caller = {
    call: async <Row>({ name }: Statement, values: readonly unknown[]) => {
      expect(name).toMatch(/^millrace_(complete|fail)_tasks$/)
      const ids = values[2] as number[]
      batches.push(ids)
      return (await answer(ids)) as Row[]
    },
  }
  const flush = new Flush(
    caller,
    { workerId: '', lockKey: 0 },
    {
      reserve: () => 0,
      reserveAll: () => null,
      giveBack: () => {},
      doubt: () => {},
      held: () => 4_000,
      watched: () => false,
      called: () => false,
      completed: (tasks) => {
        if (tasks.some(({ taskId }) => taskId === unbearable)) throw new Error('It breaks.')
        completed.push(...tasks.map(({ taskId }) => taskId))
      },
      failed: (tasks) => failed.push(...tasks.map(({ taskId }) => taskId)),
      parked: () => {},
      continued: () => {},
      refused: ({ taskId }, error) => refused.push([taskId, (error as Error).message]),
      broken: (error) => broken.push(error),
      uncertain,
    },
  )
  return { flush, batches, completed, failed, refused, broken }
}

/** What this task's answer sets going throws. */
const unbearable = 13

test('an answer that can not be worked off is told, and the outcomes behind it are sent and answered', async () => {
  const first = new Arrival()
  const { flush, batches, completed, broken } = flushOver(async ([id]) => {
    if (id === unbearable) await first.come
    return []
  })
  flush.complete(taskOf(unbearable), rowOf(unbearable))
  await until('it is under way', async () => batches.length === 1)
  flush.complete(taskOf(2), rowOf(2))
  first.arrive()
  await until('the next one is answered', async () => completed.length === 1)
  flush.complete(taskOf(3), rowOf(3))
  await until('and so is one that comes later', async () => completed.length === 2)
  expect(broken).toEqual([new Error('It breaks.')])
  await until('it rests', async () => !flush.busy)
})

test('whatever finished while the previous batch was on its way goes with the next one', async () => {
  const first = new Arrival()
  let calls = 0
  const { flush, batches, completed } = flushOver(async () => {
    if (calls++ === 0) await first.come
    return []
  })
  flush.complete(taskOf(1), rowOf(1))
  await until('the first is under way', async () => batches.length === 1)
  for (const id of [2, 3, 4]) flush.complete(taskOf(id), rowOf(id))
  first.arrive()
  await until('all are answered', async () => completed.length === 4)
  expect(batches).toEqual([[1], [2, 3, 4]])
})

test('PP-C7 a refused batch is sent again in halves, so that one bad outcome fails its own step alone', async () => {
  const { flush, completed, refused } = flushOver(async (ids) => {
    if (ids.includes(3)) throw new Error('3 is bad')
    return []
  })
  for (let id = 1; id <= 8; id++) flush.complete(taskOf(id), rowOf(id))
  await until('all are answered', async () => completed.length + refused.length === 8)
  expect(completed.toSorted()).toEqual([1, 2, 4, 5, 6, 7, 8])
  expect(refused).toEqual([[3, '3 is bad']])
})

test('PP-C7 an outcome is sent until a database that is away has answered', async () => {
  let away = 3
  let told = 0
  const { flush, completed } = flushOver(
    async () => {
      if (away-- > 0) throw new MillraceError('database_unreachable', 'away')
      return []
    },
    async () => void told++,
  )
  flush.complete(taskOf(1), rowOf(1))
  await until('it is answered', async () => completed.length === 1)
  expect(told).toBe(3)
})

test('failures go in batches of their own', async () => {
  const { flush, batches, failed, completed } = flushOver(async () => [])
  const failure = (taskId: number) => ({
    taskId,
    stepId: 1,
    attempt: 1,
    error: '{}',
    random: 0,
    retryDelayMs: null,
  })
  flush.complete(taskOf(1), rowOf(1))
  flush.fail(taskOf(2), failure(2))
  flush.fail(taskOf(3), failure(3))
  await until('all are answered', async () => failed.length === 2 && completed.length === 1)
  expect(batches).toEqual([[1], [2, 3]])
})

test('B6 a database without disk, memory or connections is waited for, one that refuses a value is not', () => {
  const raised = (code: string) => Object.assign(new Error(code), { code, severity: 'ERROR' })
  for (const code of ['53100', '53200', '53300', '53400']) expect(isPassing(raised(code)), code).toBe(true)
  for (const code of ['57014', '22P05', '23514', '40001']) expect(isPassing(raised(code)), code).toBe(false)
  expect(isPassing(new MillraceError('database_read_only', 'standby'))).toBe(true)
})

test('what was completed goes on while the failures of the same turn wait for a lock', async () => {
  const lock = new Arrival()
  const { flush, completed, failed } = flushOver(async (ids) => {
    if (ids.includes(2)) await lock.come
    return []
  })
  flush.complete(taskOf(1), rowOf(1))
  flush.fail(taskOf(2), { taskId: 2, stepId: 1, attempt: 1, error: '{}', random: 0, retryDelayMs: null })
  await until('the completion is worked off', async () => completed.length === 1)
  expect(failed).toEqual([])
  lock.arrive()
  await until('the failure is answered', async () => failed.length === 1)
})
