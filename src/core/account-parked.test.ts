// Waiting in words, from data alone: each kind of wait, each message, and called runs.
import { expect, test } from 'vitest'
import type { AccountEvent, AccountTask, AccountWait, RunAccount } from './account-data.ts'
import { callerWords, childLines, messageWords, parkedWords } from './account-parked.ts'

const day = '2026-11-21'
const account = {
  at: `${day}T12:00:00+00:00`,
  run: { created_at: `${day}T11:00:00+00:00` },
} as RunAccount

const wait = (kind: AccountWait['kind'], more: Partial<AccountWait> = {}): AccountWait => ({
  name: 'it',
  kind,
  since: `${day}T11:00:00+00:00`,
  due_at: null,
  signals: null,
  child_run: null,
  children_left: null,
  approval: null,
  title: null,
  people: null,
  roles: null,
  quorum: null,
  approvals: 0,
  ...more,
})

test.each([
  [[], 'parked, and about to go on'],
  [[wait('sleep', { due_at: `${day}T12:30:00+00:00` })], 'sleeps until 12:30:00.000 (in 30 min)'],
  [
    [wait('signal', { signals: ['paid', 'void'], due_at: `${day}T11:59:00+00:00` })],
    'waits for signal paid or void, at most until 11:59:00.000 (due now)',
  ],
  [
    [wait('call', { child_run: 'R1', children_left: 1 }), wait('call', { children_left: 1_200 })],
    'waits for run R1; or waits for 1,200 called runs',
  ],
  [
    [wait('approval', { approval: 'A1', people: ['ada'], roles: ['finance'], quorum: 2, approvals: 1 })],
    'waits for approval it, 1 of 2, from ada or finance: npx millrace approval approve A1',
  ],
  [
    [wait('approval', { approval: 'A1', quorum: 1 })],
    'waits for approval it: npx millrace approval approve A1',
  ],
  [[wait('http')], 'waits for the answer of it'],
])('a parked step tells each thing that it waits for, with its limit (%#)', (waits, words) => {
  expect(parkedWords(account, { waits } as unknown as AccountTask)).toBe(words)
})

const event = (kind: string, detail: Record<string, unknown>, item: number | null = null): AccountEvent => ({
  at: `${day}T11:00:00+00:00`,
  actor: 'app',
  kind,
  step: 'pay',
  item,
  attempt: null,
  detail: { name: 'release', ...detail },
})

test.each([
  [event('signal.received', { to: 'run' }), 'app sent signal release for pay'],
  [event('signal.received', { to: 'name' }, 3), 'app sent signal release, taken up for pay item 3'],
  [event('approval.asked', { title: 'Go?' }), 'approval release was asked for pay: Go?'],
  [event('approval.decided', { by: 'ada', decision: 'approve' }), 'ada approved release for pay'],
  [
    event('approval.decided', { by: 'ada', decision: 'reject', comment: 'no' }),
    'ada rejected release for pay: no',
  ],
  [event('approval.delegated', { by: 'ada', to: 'eve' }), 'ada let eve decide on approval release for pay'],
  [event('approval.reminded', {}), 'approval release was still open for pay: a reminder'],
  [event('approval.expired', { otherwise: 'skip' }), 'approval release expired for pay; otherwise: skip'],
  [event('run.paused', {}), undefined],
])('a signal or an approval is told in a sentence (%#)', (told, words) => {
  expect(messageWords(told)).toBe(words)
})

test('a called run tells who called it, and a caller what became of those that it called', () => {
  const run = { parent_run_id: 'P1', parent_step: 'plan', parent_item: 2, parent_call: 'ask', detached: true }
  expect(callerWords({ ...account.run, ...run })).toBe('by plan item 2 of run P1 (call ask, detached),')
  expect(callerWords({ ...account.run, parent_run_id: null })).toBeUndefined()
  const child = { pipeline: 'sub', step: 'plan', item: null, call: 'ask', place: 0, detached: false }
  expect(
    childLines({
      ...account,
      children: {
        total: 12,
        states: { failed: 1, completed: 11 },
        listed: [
          { ...child, run: 'C1', state: 'failed' },
          { ...child, run: 'C2', state: 'completed', item: 4, detached: true },
        ],
      },
    }),
  ).toEqual([
    'What it called',
    '  12 runs: 1 failed, 11 completed',
    '  plan, call ask: sub C1, failed',
    '  plan item 4, call ask: sub C2, completed (detached)',
    '  … and 10 more runs',
  ])
  expect(childLines({ ...account, children: { total: 0, states: {}, listed: [] } })).toEqual([])
})
