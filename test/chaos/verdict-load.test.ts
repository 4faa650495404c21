// The verdict on the load finds each offence that it was made for, and none in a small world in which all went well.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OwnServer, startOwnServer } from '../faults/own-server.ts'
import { type Connection, connect, newId, registerPipeline } from '../protocol.ts'
import { tables } from './pipelines.ts'
import { judgeLoad, type KnownOfLoad } from './verdict-load.ts'

let server: OwnServer
let one: Connection
beforeAll(async () => {
  server = await startOwnServer({ track_commit_timestamp: 'on' })
  await server.query(tables)
  for (const slug of Object.values(slugs)) await registerPipeline(server, slug, [{ name: 'end' }])
  one = await connect(server)
  for (const text of world) await one.query(text)
}, 60_000)
afterAll(async () => {
  await one?.end()
  await server?.close()
})

const slugs = {
  random: 'chaos-random-0',
  stumble: 'chaos-light-stumble',
  hopeless: 'chaos-light-hopeless',
  child: 'chaos-child',
  tick: 'chaos-tick',
  hooked: 'chaos-hooked',
  change: 'chaos-change',
} as const

const [told, parent, outside, cancelled, stumbled, hopeless, first, second] = Array.from({ length: 8 }, () =>
  newId(),
) as [string, string, string, string, string, string, string, string]
const begun = new Date(Date.now() - 3_600_000).toISOString()
const at = (second: number) => `(timestamptz '${begun}' + ${second} * interval '1 second')`
const text = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''")}'`

let nonces = 0
function run(
  slug: string,
  {
    id = newId(),
    state = 'completed',
    input = { nonce: `1-${++nonces}` },
    ended = 100,
    of = null,
  }: { id?: string; state?: string; input?: unknown; ended?: number; of?: [string, number] | null } = {},
): string {
  const error = state === 'failed' ? `'{}'` : 'null'
  const caller = of === null ? 'null, null, null, null' : `'${parent}', '${of[0]}', ${of[1]}, false`
  return `insert into millrace.run (id, slug, version, state, input, error, started_via, started_by, created_at, started_at, finished_at,
      parent_run_id, parent_step, parent_place, detached)
    values ('${id}', '${slug}', 1, '${state}', ${text(input)}, ${error}, 'sdk', 'x', ${at(0)}, ${at(0)}, ${at(ended)}, ${caller})`
}

interface AttemptOptions {
  readonly attempt?: number
  readonly outcome?: string
  readonly error?: { readonly code: string; readonly message: string }
  readonly again?: boolean
  readonly from?: number
  readonly to?: number
}

function attempt(
  run_id: string,
  step: string,
  { attempt = 1, outcome = 'completed', error, again = false, from = 0, to = 10 }: AttemptOptions = {},
): string {
  return `insert into millrace.attempt (run_id, step, item, attempt, outcome, error, ready_at, started_at, finished_at, retry_at)
    values ('${run_id}', '${step}', -1, ${attempt}, '${outcome}', ${error === undefined ? 'null' : text(error)}, ${at(from)}, ${at(from)}, ${at(to)},
            ${again ? at(to) : 'null'})`
}

const failed = (code: string, message: string, again = true): AttemptOptions => ({
  outcome: 'failed',
  error: { code, message },
  again,
})
const lost: AttemptOptions = {
  outcome: 'reclaimed',
  error: { code: 'worker_lost', message: 'gone' },
  again: true,
}
const always = failed('Error', 'It always fails: attempt 1 of process 1.')
const event = (run_id: string, kind: string) =>
  `insert into millrace.event (run_id, at, actor, kind) values ('${run_id}', now(), 'x', '${kind}')`
const deadLetter = (run_id: string, slug: string) =>
  `insert into millrace.dead_letter (run_id, step, item, slug, error, failed_at) values ('${run_id}', 'end', -1, '${slug}', '{}', now())`
const checkpoint = (run_id: string, step: string, attempt: number) =>
  `insert into millrace.checkpoint (run_id, step, name, place, kind, attempt, value, created_at)
   values ('${run_id}', '${step}', 'ask', 0, 'run', ${attempt}, '1', now())`
const hold = (token: number, run_id: string, attempt: number, from: number, to: number | undefined) =>
  `insert into public.hold values ('lock-1', ${token}, '${run_id}', 'locked-4', ${attempt}, ${at(from)}, ${to === undefined ? 'null' : at(to)})`
const change = (version: number) => ({ key: { id: 7 }, operation: 'update', new: { id: 7, version } })
const ofWatch = (run_id: string) =>
  `insert into millrace.change_run (run_id, watch_id, depth) values ('${run_id}', 1, 0)`
const signalKey = `${told} go-signal-1`

/** All that the questions look at, once, as it should be. */
const world = [
  run(slugs.random, { id: told, input: { nonce: '1-told', fails: true } }),
  attempt(told, 'end', failed('permanent', 'It was told to fail: attempt 1 of process 1.', false)),
  event(told, 'run.redriven'),
  attempt(told, 'end', { attempt: 2 }),
  `insert into public.effect (run_id, step, item, attempt, worker_pid) values ('${told}', 'end', -1, 2, 1)`,
  `insert into millrace.signal (run_id, name, idempotency_key, sent_at, sent_by) values ('${told}', 'go-signal-1', '${signalKey}', now(), 'x')`,
  `update millrace.run set revision = revision + 1 where id = '${told}'`,
  run(slugs.random, { id: parent, input: { nonce: '1-parent' } }),
  attempt(parent, 'call-1', { ...lost, from: 0, to: 1 }),
  attempt(parent, 'call-1', { attempt: 2, from: 1 }),
  attempt(parent, 'calls-2'),
  run(slugs.child, { input: {}, of: ['call-1', 0] }),
  ...[0, 1, 2].map((place) => run(slugs.child, { input: {}, of: ['calls-2', place] })),
  run(slugs.random, { id: outside, input: { nonce: '1-outside' } }),
  attempt(outside, 'outside-3', failed('Error', 'It stumbles after its call: attempt 1 of process 1.')),
  attempt(outside, 'outside-3', {
    attempt: 2,
    ...failed('57P01', 'terminating connection'),
    from: 10,
    to: 20,
  }),
  attempt(outside, 'outside-3', { attempt: 3, from: 20, to: 30 }),
  checkpoint(outside, 'outside-3', 3),
  attempt(outside, 'locked-4', { ...lost, from: 0, to: 10 }),
  hold(1, outside, 1, 5, undefined),
  // What the one before did once it had lost its lease.
  hold(4, outside, 1, 12, 20),
  attempt(outside, 'locked-4', { attempt: 2, from: 10, to: 20 }),
  hold(2, outside, 2, 11, 13),
  attempt(told, 'locked-4', { from: 0, to: 20 }),
  hold(3, told, 1, 14, 16),
  run(slugs.random, { id: cancelled, state: 'cancelled' }),
  event(cancelled, 'run.cancelled'),
  run(slugs.stumble, { id: stumbled }),
  attempt(stumbled, 'only', failed('Error', 'It stumbles the first time: attempt 1 of process 1.')),
  attempt(stumbled, 'only', { attempt: 2, from: 10 }),
  run(slugs.hopeless, { id: hopeless, state: 'failed' }),
  attempt(hopeless, 'only', always),
  attempt(hopeless, 'only', { attempt: 2, outcome: 'released', from: 10, to: 20 }),
  attempt(hopeless, 'only', { attempt: 3, ...always, again: false, from: 20, to: 30 }),
  deadLetter(hopeless, slugs.hopeless),
  ...[first, second].flatMap((id, place) => [
    run(slugs.change, { id, input: change(place), ended: 10 + 10 * place }),
    ofWatch(id),
    attempt(id, 'end', { from: 10 * place, to: 10 + 10 * place }),
  ]),
]

const calls = [1, 2, 3].map((n) => ({ run: outside, step: 'outside-3', attempt: n, key: 'k' }))
const known: KnownOfLoad = { signals: [signalKey], cancelled: [cancelled], calls }

const offences: ReadonlyArray<[string, string, () => string, Partial<KnownOfLoad>?]> = [
  [
    'what was asked for once',
    'a second run of one start',
    () => run(slugs.stumble, { input: { nonce: '1-told' } }),
  ],
  ['each run was asked for', 'a run without a start', () => run(slugs.stumble, { input: { n: 1 } })],
  ['each run was asked for', 'a run without a slot', () => run(slugs.tick)],
  ['each run was asked for', 'a run without a delivery', () => run(slugs.hooked)],
  [
    'each run was asked for',
    'a run without a change',
    () => run(slugs.change, { input: change(9), ended: 0 }),
  ],
  ['each run was asked for', 'a called run without its caller', () => run(slugs.child, { input: {} })],
  [
    'a run calls others',
    'a call carried out twice',
    () => run(slugs.child, { input: {}, of: ['call-1', 0] }),
  ],
  ['a run calls others', 'a called run too many', () => run(slugs.child, { input: {}, of: ['calls-2', 3] })],
  [
    'a run calls others',
    'a call that completed without a run',
    () => `delete from millrace.run where parent_step = 'call-1'`,
  ],
  [
    'an attempt fails only',
    'a failure that nobody ordered',
    () =>
      attempt(stumbled, 'only', { attempt: 3, ...failed('Error', 'Cannot read properties of undefined') }),
  ],
  [
    'an attempt fails only',
    'a stumble of a second attempt',
    () =>
      attempt(stumbled, 'only', { attempt: 3, ...failed('Error', 'It stumbles the first time: attempt 3.') }),
  ],
  [
    'an attempt fails only',
    'a duplicate that the database refused',
    () => attempt(told, 'locked-4', { attempt: 2, ...failed('23505', 'duplicate key') }),
  ],
  [
    'an attempt is taken back only',
    'an attempt taken back from a worker that was there',
    () =>
      attempt(stumbled, 'only', { attempt: 3, ...lost, error: { code: 'attempt_timeout', message: 'late' } }),
  ],
  ['a run is redriven only', 'a second redrive', () => event(told, 'run.redriven')],
  [
    'a run is redriven only',
    'a redrive of a run that was not to fail',
    () => event(stumbled, 'run.redriven'),
  ],
  [
    'a run is redriven only',
    'a success after the last failure',
    () => attempt(stumbled, 'only', { attempt: 3, ...lost, again: false }),
  ],
  [
    'a run is redriven only',
    'a failed run of which nothing was given up',
    () => run(slugs.stumble, { state: 'failed' }),
  ],
  ['no dead letter is left', 'a dead letter that nobody expected', () => deadLetter(stumbled, slugs.stumble)],
  [
    'no dead letter is left',
    'one of what always fails that is missing',
    () => `delete from millrace.dead_letter where run_id = '${hopeless}'`,
  ],
  [
    'no dead letter is left',
    'an attempt too many of what always fails',
    () => attempt(hopeless, 'only', { attempt: 4, ...always }),
  ],
  [
    'no dead letter is left',
    'one that always fails and completed',
    () => `update millrace.run set state = 'completed', error = null where id = '${hopeless}'`,
  ],
  ['an acknowledged signal', 'a signal that is not there', () => 'delete from millrace.signal'],
  ['a run whose cancellation', 'a cancelled run that completed', () => 'select 1', { cancelled: [told] }],
  [
    'a run whose cancellation',
    'a cancelled run without its event',
    () => `delete from millrace.event where run_id = '${cancelled}'`,
  ],
  [
    'a step calls the outside',
    'two calls in one attempt',
    () => 'select 1',
    { calls: [...calls, calls[0]!] },
  ],
  [
    'a step calls the outside',
    'a call under another key',
    () => 'select 1',
    { calls: [calls[0]!, calls[1]!, { ...calls[2]!, key: 'other' }] },
  ],
  [
    'a step calls the outside',
    'a call once its answer was kept',
    () => `update millrace.checkpoint set attempt = 2`,
  ],
  [
    'a step calls the outside',
    'a call by no attempt',
    () => `delete from millrace.attempt where run_id = '${outside}' and step = 'outside-3' and attempt = 1`,
  ],
  ['a step calls the outside', 'a step that completed without its call', () => attempt(told, 'outside-3')],
  ['a named lock', 'two holders at once', () => hold(9, told, 1, 15, 17)],
  ['a named lock', 'a holder before the one before was taken back', () => hold(9, told, 1, 7, 8)],
  ['a named lock', 'a token that is lower', () => hold(0, told, 1, 17, 18)],
  ['a named lock', 'a holder without its attempt', () => hold(9, hopeless, 1, 90, 91)],
  [
    'the runs of the changes',
    'two at once of one row',
    () => `update millrace.attempt set started_at = ${at(9)} where run_id = '${second}'`,
  ],
]

test('the verdict on the load finds nothing where nothing is broken', async () => {
  expect(await judgeLoad(server, known)).toEqual([])
})

test.each(offences)('%s: the verdict on the load finds %s', async (claim, _, offence, more = {}) => {
  await one.query('begin')
  await one.query(offence())
  const found = await judgeLoad(one, { ...known, ...more })
  await one.query('rollback')
  expect(found.filter((sentence) => sentence.startsWith(claim))).not.toEqual([])
})

test('the verdict on the load finds an effect that was committed after its run had ended', async () => {
  await server.query(
    `insert into public.effect (run_id, step, item, attempt, worker_pid) values ('${cancelled}', 'end', -1, 1, 1)`,
  )
  expect(await judgeLoad(server, known)).toEqual([
    expect.stringMatching(
      /^E6 no effect is committed after its run has ended: .* in a run that is cancelled$/,
    ),
  ])
  await server.query(`delete from public.effect where run_id = '${cancelled}'`)
})
