// What started a run by itself, in the words of its account.
import { expect, test } from 'vitest'
import type { AccountEvent, RunAccount } from './account-data.ts'
import { laterTriggers, triggerWords } from './account-trigger.ts'

const at = '2026-03-02T06:00:00.000Z'

const triggered = (detail: Record<string, unknown>): AccountEvent => ({
  at,
  actor: 'worker',
  kind: 'run.triggered',
  step: null,
  item: null,
  attempt: null,
  detail,
})

const accountOf = (startedVia: string, ...details: Array<Record<string, unknown>>) =>
  ({
    run: { started_via: startedVia, created_at: at },
    events: { total: details.length, listed: details.map(triggered) },
  }) as unknown as RunAccount

const slot = { by: 'schedule', schedule: 'digest', firing: 7, slot: at }

test.each([
  [
    { ...slot, late_ms: 4, kind: 'scheduled' },
    "by schedule 'digest', for its slot of 2026-03-02 at 06:00:00.000 UTC (firing 7),",
  ],
  [{ ...slot, late_ms: 90_000, kind: 'catch_up' }, 'catching up its slot of'],
  [{ ...slot, late_ms: 90_000, kind: 'catch_up' }, '1 min 30 s late'],
  [{ ...slot, late_ms: 90_000, kind: 'backfill' }, 'filling in its slot of'],
  [{ ...slot, late_ms: 0, kind: 'triggered' }, 'triggered by hand on'],
])('the account of a run names its schedule and its slot: %o', (detail, words) => {
  expect(triggerWords(accountOf('schedule', detail))).toContain(words)
})

test.each([
  ['webhook', { by: 'webhook', webhook: 'people', delivery: 'd-1' }, "by delivery d-1 to webhook 'people',"],
  [
    'change',
    { by: 'change', watch: 'people', operation: 'UPDATE', key: { id: 1 }, changes: 3, transaction: '77' },
    `by an update of {"id":1} that watch 'people' saw in transaction 77, the last of 3 changes made one,`,
  ],
  [
    'event',
    { by: 'event', event: 'person.changed', id: 9, subscription: 'mail' },
    "by event 'person.changed' (9), through subscription 'mail',",
  ],
])('the account of a run that a %s started says by which', (via, detail, words) => {
  expect(triggerWords(accountOf(via, detail))).toBe(words)
})

test('what went into a run that somebody had started is told apart', () => {
  const account = accountOf('sdk', slot)
  expect(triggerWords(account)).toBeUndefined()
  expect(laterTriggers(account).map(({ words }) => words)).toEqual([
    expect.stringContaining("started as well by schedule 'digest'") as string,
  ])
  expect(laterTriggers(accountOf('schedule', slot))).toEqual([])
})
