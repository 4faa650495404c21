// What a doctor thinks of history, workers and tasks, from the facts alone.
import { expect, test } from 'vitest'
import { checkPartitions, checkTasks, checkWorkers } from './work.ts'

const now = new Date(Date.UTC(2026, 10, 21, 12))
const worker = {
  id: '',
  name: 'loader',
  host: 'h',
  process_id: 1,
  state: 'idle',
  slots: 20,
  queues: [],
  has_lock: true,
  silent_seconds: 0,
}

test('fewer than two weeks of history ahead are a warning', () => {
  expect(checkPartitions({ weeks_ahead: 4, retention_days: 30 })).toMatchObject({
    level: 'ok',
    message: '4 weeks of history ahead, kept for 30 days',
  })
  expect(checkPartitions({ weeks_ahead: 4, retention_days: null }).message).toBe(
    '4 weeks of history ahead, none dropped by its age',
  )
  expect(checkPartitions({ weeks_ahead: 1, retention_days: 30 }).level).toBe('warn')
})

test('workers are counted with their slots, and a paused one is named', () => {
  expect(checkWorkers([]).level).toBe('warn')
  expect(checkWorkers([worker, { ...worker, state: 'paused' }]).message).toBe(
    '2 workers alive with 40 slots; loader is paused',
  )
})

test('tasks that nobody serves are named with their pipeline, version and queue', () => {
  const unserved = {
    pipeline: 'sweep',
    version: 2,
    queue: 'slow',
    tasks: 3,
    ready_since: new Date(now.getTime() - 90_000),
  }
  expect(checkTasks([], now).level).toBe('ok')
  expect(checkTasks([unserved], now).message).toBe(
    'Nobody serves 3 tasks of sweep version 2 on queue slow since 1 min 30 s.',
  )
  expect(checkTasks([unserved, unserved, unserved, unserved], now).message).toMatch(/ and 1 more\.$/)
})
