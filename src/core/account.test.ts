// The account in words, from data alone: what the database tests beside src/db/accounts.ts don't reach.
import { expect, test } from 'vitest'
import { eventKinds } from '../../test/event-kinds.ts'
import { tellAccount } from './account.ts'
import { width } from './text-width.ts'
import type { AccountAttempt, AccountEvent, AccountStep, RunAccount } from './account-data.ts'

const day = '2026-11-21'
const id = '01a1fc9e-5f80-77ff-8c73-f01c878af2ee'

const step = (name: string, more: Partial<AccountStep> = {}): AccountStep => ({
  step: name,
  kind: 'step',
  over: null,
  undoes: null,
  follows: null,
  needs: [],
  queue: 'default',
  max_attempts: 3,
  tx: false,
  when: false,
  items: null,
  attempts: 0,
  completed: 0,
  skipped: 0,
  failed: 0,
  reclaimed: 0,
  released: 0,
  cancelled: 0,
  parked: 0,
  items_with_failures: 0,
  given_up: 0,
  held_back: 0,
  ended_as: null,
  concurrency: null,
  fail_after: null,
  running: 0,
  ready: 0,
  waiting: 0,
  started_at: null,
  finished_at: null,
  running_ms: 0,
  slowest: null,
  ...more,
})

const attempt = (
  name: string,
  from: string,
  to: string,
  more: Partial<AccountAttempt> = {},
): AccountAttempt => ({
  step: name,
  item: null,
  attempt: 1,
  outcome: 'completed',
  worker: null,
  ready_at: from,
  started_at: from,
  finished_at: to,
  retry_at: null,
  error: null,
  reason: null,
  writes: null,
  ...more,
})

const account = (
  more: Omit<Partial<RunAccount>, 'run'> & { run?: Partial<RunAccount['run']> },
): RunAccount => ({
  at: `${day}T12:00:00+00:00`,
  pipeline: { paused_at: null, paused_by: null, pause_reason: null },
  steps: [],
  tasks: { total: 0, listed: [] },
  attempts: { total: 0, listed: [] },
  events: { total: 0, listed: [] },
  metadata: {},
  parts: 0,
  progress: [],
  metrics: [],
  objectives: [],
  time: {
    total_ms: 0,
    running_ms: 0,
    paused_ms: 0,
    queue_ms: 0,
    retry_ms: 0,
    parked_ms: 0,
    delayed_ms: 0,
    other_ms: 0,
  },
  children: { total: 0, states: {}, listed: [] },
  lineage: { of: null, total: 0, into: [] },
  starts: null,
  behind: null,
  ...more,
  run: {
    id,
    pipeline: 'nightly',
    version: 3,
    tenant: null,
    key: null,
    state: 'completed',
    priority: 5,
    error: null,
    outcome: null,
    outcome_error: null,
    idempotency_key: null,
    started_via: 'sdk',
    started_by: 'app',
    created_at: `${day}T11:00:00+00:00`,
    available_at: null,
    started_at: `${day}T11:00:00+00:00`,
    finished_at: null,
    paused_at: null,
    parent_run_id: null,
    parent_step: null,
    parent_item: null,
    parent_call: null,
    detached: null,
    revision: 0,
    is_dead_letter: false,
    ...more.run,
  },
})

test('a cancelled run over two days: its keys, logs, people, and an attempt of an executor outside', () => {
  const text = tellAccount(
    account({
      run: {
        state: 'cancelled',
        key: 'TX',
        tenant: 'acme',
        idempotency_key: 'order-17',
        priority: 2,
        available_at: `${day}T23:00:00+00:00`,
        finished_at: '2026-11-22T01:00:00+00:00',
      },
      steps: [
        step('load', {
          attempts: 1,
          cancelled: 1,
          started_at: `${day}T23:00:00+00:00`,
          finished_at: '2026-11-22T01:00:01+00:00',
        }),
        step('report', { needs: ['load'] }),
      ],
      attempts: {
        total: 1,
        listed: [
          attempt('load', `${day}T23:00:00+00:00`, '2026-11-22T01:00:01+00:00', {
            outcome: 'cancelled',
            worker: { kind: 'outside', name: 'etl-box', host: 'outside', process_id: null },
            error: { message: 'the signal fired' },
          }),
        ],
      },
      events: {
        total: 304,
        listed: [
          {
            at: `${day}T23:30:00+00:00`,
            actor: 'app',
            kind: 'step.log',
            step: 'load',
            item: 4,
            attempt: 1,
            detail: { message: 'half-way', fields: { rows: 12 } },
          },
          {
            at: '2026-11-22T01:00:00+00:00',
            actor: 'ada',
            kind: 'run.cancelled',
            step: null,
            item: null,
            attempt: null,
            detail: { reason: 'the wrong file' },
          },
          {
            at: '2026-11-22T01:00:00+00:00',
            actor: 'ada',
            kind: 'run.noted',
            step: null,
            item: null,
            attempt: null,
            detail: {},
          },
        ],
      },
      time: {
        total_ms: 50_400_000,
        running_ms: 7_200_000,
        paused_ms: 0,
        queue_ms: 0,
        retry_ms: 0,
        parked_ms: 0,
        delayed_ms: 43_200_000,
        other_ms: 0,
      },
    }),
  )
  expect(text).toBe(`Run ${id}
nightly, version 3: cancelled

Started through the SDK by app on 2026-11-21 at 11:00:00.000 UTC, run key TX,
  tenant acme, idempotency key order-17, priority 2.
Its start was put off until 2026-11-21 at 23:00:00.000 UTC.
Cancelled after 14 h, on 2026-11-22 at 01:00:00.000 UTC.

What its steps did
  load                                                                 cancelled
    23:00:00.000  attempt 1 was cancelled after 2 h by etl-box (outside)
                  the signal fired
  report                                                               cancelled
    It never began.

What people did
  11-22 01:00:00.000  ada cancelled the run: the wrong file
  11-22 01:00:00.000  ada run.noted

What the steps logged
  23:30:00.000  load item 4: half-way {"rows":12}
  … and 301 more entries

Where the time went
  running                      2 h   14 %  ████
  in the queue                0 ms    0 %
  waiting for retries         0 ms    0 %
  waiting for its start       12 h   86 %  ██████████████████████████
`)
})

test('what was copied from another run says so, and where it completed as far as that is known; a fallback is told as one', () => {
  const at = `${day}T11:00:01+00:00`
  const names = ['forked', 'redriven', 'letters']
  const text = tellAccount(
    account({
      steps: names.map((name) => step(name, { attempts: 1, completed: 1 })),
      attempts: {
        listed: [
          attempt('forked', at, at, { reason: `copied from run ${id}` }),
          attempt('redriven', at, at, {
            reason: `copied from run ${id}`,
            worker: { name: 'vm', kind: 'worker', host: 'vm', process_id: 26_077 },
          }),
          attempt('letters', at, at, { reason: 'it failed (permanent)' }),
        ],
        total: 3,
      },
    }),
  ).replaceAll(/\s+/g, ' ')
  expect(text).toContain(`11:00:01.000 copied from run ${id} redriven`)
  expect(text).toContain(`11:00:01.000 copied from run ${id}, where it completed on vm (26077)`)
  expect(text).toContain('11:00:01.000 its fallback was taken: it failed (permanent)')
})

test('attempts of many items that are alike are one entry, whatever their outcome; others stay on their own', () => {
  const from = `${day}T11:00:01+00:00`
  const items = (
    numbers: readonly number[],
    outcome: AccountAttempt['outcome'],
    more: Partial<AccountAttempt> = {},
  ) => numbers.map((item) => attempt('load', from, `${day}T11:00:02+00:00`, { item, outcome, ...more }))
  const up = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, n) => first + n)
  const text = tellAccount(
    account({
      steps: [
        step('a-step-with-a-name-that-is-as-long-as-the-name-of-a-step-can-be'),
        step('load', {
          kind: 'map',
          over: 'a-step-with-a-name-that-is-as-long-as-the-name-of-a-step-can-be',
          items: 60,
          tx: true,
          attempts: 60,
          completed: 12,
          released: 12,
          cancelled: 12,
          skipped: 12,
          failed: 11,
          reclaimed: 1,
          items_with_failures: 12,
          given_up: 11,
          slowest: [{ item: 30, ms: 1_000 }],
        }),
      ],
      attempts: {
        total: 60,
        listed: [
          ...items(up(0, 11), 'released', { reason: 'the worker was stopped' }),
          ...items(
            up(0, 11).map((n) => 2 * n + 12),
            'skipped',
            { reason: 'its condition said no' },
          ),
          ...items([30, 31], 'failed', { error: { message: 'no route' }, retry_at: null }),
          ...items(up(32, 40), 'failed', { error: { message: 'no such airport' }, retry_at: null }),
          ...items(up(0, 11), 'completed', {
            attempt: 2,
            ready_at: `${day}T11:00:00+00:00`,
            writes: { 'public.airport': { inserted: 1, updated: 0, deleted: 0 } },
          }),
          ...items(up(41, 52), 'cancelled', { error: { message: 'the run was cancelled' } }),
        ],
      },
    }),
  )
  expect(text.slice(text.indexOf('What its steps did'))).toMatchInlineSnapshot(`
    "What its steps did
      a-step-with-a-name-that-is-as-long-as-the-name-of-a-step-can-be      cancelled
        It never began.
      load  map over
        a-step-with-a-name-that-is-as-long-as-the-name-of-a-step-can-be, 60 items,
        in one transaction                                                    failed
        12 of 60 items completed; 12 attempts at 12 items failed.
        The slowest: item 30 with 1.0 s.
        11:00:01.000  12 items (0 to 11): attempt 1 was given back after 1.0 s: the
                      worker was stopped
                      they were ready again at once, and no failure was counted
        11:00:01.000  12 items (12, 14, 16, 18, …): skipped: its condition said no
        11:00:01.000  item 30, attempt 1 failed after 1.0 s
                      no route
                      no further attempt
        11:00:01.000  item 31, attempt 1 failed after 1.0 s
                      no route
                      no further attempt
        11:00:01.000  9 items (32 to 40): attempt 1 failed after 1.0 s
                      no such airport
                      no further attempt
        11:00:01.000  12 items (0 to 11): attempt 2 completed in 1.0 s, having
                      waited 1.0 s
                      each: public.airport: wrote 1 row
        11:00:01.000  12 items (41 to 52): attempt 1 was cancelled after 1.0 s
                      the run was cancelled
        … and 1 more attempt that did not complete.
    "
  `)
  for (const line of text.split('\n')) expect(width(line)).toBeLessThanOrEqual(80)
})

test('a paused run that an executor outside reports, with tasks beyond those that are told', () => {
  const waiting = {
    step: 'load',
    state: 'waiting',
    attempt: 0,
    failures: 0,
    max_attempts: 3,
    since: null,
    is_aborted: false,
    worker: null,
    is_served: true,
    waits: [],
  } as const
  const text = tellAccount(
    account({
      run: { state: 'running', started_via: 'outside', paused_at: `${day}T11:30:00+00:00` },
      steps: [
        step('list', {
          attempts: 60,
          failed: 59,
          completed: 1,
          started_at: `${day}T11:00:00+00:00`,
          finished_at: `${day}T11:00:00+00:00`,
        }),
        step('none', {
          kind: 'map',
          over: 'list',
          items: 0,
          completed: 1,
          attempts: 1,
          started_at: `${day}T11:00:00+00:00`,
          finished_at: `${day}T11:00:00+00:00`,
        }),
        step('load', { kind: 'map', over: 'list', items: 40, waiting: 40 }),
        step('report', { needs: ['load'], queue: 'reports', tx: true }),
      ],
      tasks: {
        total: 40,
        listed: [
          { ...waiting, item: 0, reason: 'paused', available_at: null },
          { ...waiting, item: 1, reason: 'delayed', available_at: `${day}T11:59:00+00:00` },
          {
            ...waiting,
            item: 2,
            state: 'running',
            reason: null,
            available_at: null,
            is_aborted: true,
            attempt: 1,
            since: `${day}T11:10:00+00:00`,
          },
          { ...waiting, item: 3, state: 'ready', reason: null, available_at: null },
        ],
      },
      time: {
        total_ms: 3_600_000,
        running_ms: 0,
        paused_ms: 1_800_000,
        queue_ms: 0,
        retry_ms: 0,
        parked_ms: 0,
        delayed_ms: 0,
        other_ms: 1_800_000,
      },
    }),
  )
  expect(text).toBe(`Run ${id}
nightly, version 3: running, paused

Started by an executor outside, by app on 2026-11-21 at 11:00:00.000 UTC.
Has been live (now paused) for 1 h, seen 2026-11-21 at 12:00:00.000 UTC.

What its steps did
  list                                                         completed in 0 ms
    … and 60 more attempts.
  none  map over list, 0 items                                 completed in 0 ms
  load  map over list, 40 items                                          waiting
    0 of 40 items completed, none failed.
  report  in one transaction, queue reports                              pending
    It waits for load.

Where the time went
  running                     0 ms    0 %
  in the queue                0 ms    0 %
  waiting for retries         0 ms    0 %
  paused                    30 min   50 %  ███████████████
  between steps             30 min   50 %  ███████████████

What it does and waits for now
  The run is paused since 2026-11-21 at 11:30:00.000; resume it with: npx
    millrace run resume ${id}
  load item 0: held back until the run is resumed
  load item 1: begins at 11:59:00.000 (due now), as its start asked
  load item 2: attempt 1 runs since 11:10:00.000, told to stop
  load item 3: ready, for the next free worker
  … and 36 more tasks
`)
})

test('a retry that waits for its share of the allowance says so, and so does one that has none', () => {
  const held = 'the pipeline allows 4 retries in 60 s, and they were used up'
  const failed = { outcome: 'failed', error: { message: 'no route' }, reason: held } as const
  const from = `${day}T11:00:00+00:00`
  const text = tellAccount(
    account({
      steps: [step('load', { attempts: 1, failed: 1 })],
      attempts: {
        total: 2,
        listed: [
          attempt('load', from, from, { ...failed, retry_at: `${day}T11:00:45+00:00` }),
          attempt('load', from, from, { ...failed, attempt: 2 }),
        ],
      },
    }),
  )
  expect(text.replaceAll(/\s+/g, ' ')).toContain(`the next attempt 45.0 s later, at 11:00:45.000: ${held}`)
  expect(text.replaceAll(/\s+/g, ' ')).toContain(`no further attempt: ${held}`)
})

const eventWords = (kind: string, detail: AccountEvent['detail'], more: Partial<AccountEvent> = {}) => {
  const at = `${day}T11:00:01+00:00`
  const event = { at, actor: 'ada', kind, step: null, item: null, attempt: null, detail, ...more }
  return tellAccount(account({ events: { total: 1, listed: [event] } })).replaceAll(/\s+/g, ' ')
}

test.each(eventKinds())('%s has words of its own, also where its details are not shown', (kind) => {
  expect(eventWords(kind, {})).not.toContain(kind)
})

test.each([
  ['cache.hit', { key: 'a', scope: 's' }, 'run', 'came from the cache; ', ' computed it'],
  ['run.took_place', { rule: 'latest' }, 'of', 'began it in the place of ', ", by rule 'latest'"],
])('%s names its run, or says that it is of others', (kind, detail, name, before, after) => {
  expect(eventWords(kind, { ...detail, [name]: id })).toContain(`${before}run ${id}${after}`)
  expect(eventWords(kind, { ...detail, [name]: null })).toContain(`${before}a run of others${after}`)
})

test('a cut loop tells the key of the row, or that it was the whole table, or neither where that is not shown', () => {
  const cut = { watch: 'people', changes: 1 }
  expect(eventWords('change.loop_cut', { ...cut, key: { id: 1 } })).toContain(
    `by watch 'people' of {"id":1} `,
  )
  expect(eventWords('change.loop_cut', { ...cut, key: null })).toContain(`by watch 'people' of the table `)
  expect(eventWords('change.loop_cut', cut)).toContain(`by watch 'people' `)
  expect(eventWords('change.loop_cut', cut)).not.toContain('table')
})

test('a log line that is not shown says so', () => {
  expect(eventWords('step.log', {}, { step: 'load' })).toContain('load: a line that is not shown')
  expect(eventWords('step.log', { message: '', fields: {} }, { step: 'load' })).not.toContain('not shown')
})

test('a secret that was read although it is too old is told with its step and its age', () => {
  const detail = { name: 'mail/token', changed_at: '2026-01-02T03:04:05+00:00', max_age_seconds: 2_592_000 }
  expect(eventWords('secret.overdue', detail, { step: 'load', item: 3 })).toContain(
    `ada read a secret that is older than it may be, 'mail/token' for load item 3: changed on 2026-01-02 at 03:04:05.000 UTC, and good for 30 d`,
  )
})
