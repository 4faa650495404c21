// The options of a worker and their bounds.
import { expect, test } from 'vitest'
import { defineConfig } from '../sdk/config.ts'
import { workerSettings } from './options.ts'

const settings = (options: object) =>
  workerSettings({ database: 'postgres://there/db', pipelines: [], ...options })

test('A7 a heartbeat longer than a third of the lease is refused, and the message says what would be right', () => {
  expect(() => settings({ leaseSeconds: 3, heartbeatMs: 1_001 })).toThrow(
    /heartbeatMs must be at most a third of the lease \(1000 ms\)/,
  )
  expect(settings({ leaseSeconds: 3, heartbeatMs: 1_000 })).toMatchObject({
    leaseSeconds: 3,
    heartbeatMs: 1_000,
  })
})

test('PP-C13 every option out of its bounds is refused by its name when the worker is started', () => {
  const wrong: Array<[string, unknown]> = [
    ['slots', 0],
    ['slots', 1.5],
    ['slots', Number.NaN],
    ['leaseSeconds', 2],
    ['heartbeatMs', 10],
    ['drainMs', -1],
    ['pingMs', 99],
    ['connectionsMax', 0],
    ['connectionsMax', '4'],
  ]
  for (const [option, value] of wrong) {
    expect(() => settings({ [option]: value }), `${option} ${String(value)}`).toThrow(
      expect.objectContaining({ code: 'worker_option_invalid', fields: { option } }),
    )
  }
})

test('a worker that is told nothing has as many handler connections as slots, 20 at most', () => {
  expect(settings({})).toMatchObject({
    slots: 20,
    connectionsMax: 20,
    leaseSeconds: 10,
    heartbeatMs: 500,
    drainMs: 30_000,
  })
  expect(settings({ slots: 3 }).connectionsMax).toBe(3)
  expect(settings({ slots: 300 }).connectionsMax).toBe(20)
})

test('whatever a worker can be told that is no program stands in millrace.config.ts as well', () => {
  const programs = ['pipelines', 'log', 'random', 'monotonic', 'now', 'fetch', 'byHand']
  // What clients are told as well stands beside `worker`: the cipher is made of encryptionKeys.
  const beside = ['database', 'directDatabase', 'artifacts', 'cipher', 'triggers', 'allowTargets']
  const told = [...programs, ...beside]
  const worker = Object.fromEntries(Object.entries(settings({})).filter(([name]) => !told.includes(name)))
  expect(defineConfig({ pipelines: [], worker })).toEqual({ pipelines: [], worker })
})
