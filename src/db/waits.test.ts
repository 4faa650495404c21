// Waiting through the typed calls, and how the account tells it.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import {
  chain,
  claimOne,
  complete,
  newId,
  promote,
  registerPipeline,
  registerWorker,
} from '../../test/protocol.ts'
import { tellAccount } from '../core/account.ts'
import { width } from '../core/text-width.ts'
import { runAccount } from './accounts.ts'
import { decideApproval, delegateApproval, listApprovals } from './approvals.ts'
import { type Caller, poolCaller } from './call.ts'
import { readCheckpoints, writeCheckpoints } from './checkpoints.ts'
import { startRuns } from './runs.ts'
import { sendSignal } from './signals.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'
import { openWaits, parkTasks, readChildren, type WaitSpec } from './waits.ts'

let database: TestDatabase
let caller: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  caller = poolCaller(database.pool, { prepare: true, database: 'the test database' })
})
afterAll(() => database.close())
// Ids of runs carry the time, so the clock stands at a moment of today.
const today = new Date().toISOString().slice(0, 10)
beforeEach(() => database.clock.freeze(`${today}T06:00:00Z`))

interface Begun {
  readonly run: string
  readonly worker: WorkerKey
  /** Claims the one task that is ready. */
  next(): Promise<HeldRow>
  park(waits: readonly WaitSpec[]): Promise<string>
}

async function begin(slug: string): Promise<Begun> {
  const { steps } = await registerPipeline(database, slug, chain('pay'))
  const own = await registerWorker(database, {
    handlers: steps.map(({ handler }) => handler),
    leaseSeconds: 100_000,
  })
  const worker = { workerId: own.id, lockKey: own.lockKey }
  const run = newId(Date.parse(`${today}T06:00:00Z`))
  const none = {
    tenant: null,
    headers: null,
    availableAt: null,
    idempotencyKey: null,
    idempotencySeconds: null,
  }
  await startRuns(caller, [{ id: run, slug, version: null, input: '{}', priority: null, ...none }], {
    via: 'sdk',
    wakeAlways: false,
  })
  const next = async (): Promise<HeldRow> => {
    const task = await claimOne(database, own)
    return { taskId: Number(task.task_id), stepId: task.step_id, attempt: task.attempt }
  }
  return {
    run,
    worker,
    next,
    park: async (waits) => {
      const answers = await parkTasks(caller, worker, [{ ...(await next()), waits }], null)
      return answers[0]!.kind
    },
  }
}

const told = async (run: string): Promise<string> => {
  const text = tellAccount(await runAccount(caller, run))
  for (const line of text.split('\n')) expect(width(line)).toBeLessThanOrEqual(80)
  return text
    .replaceAll(run, 'R')
    .replaceAll(today, 'DAY')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
}

test('the account of a run tells its signals, its approval, its naps, and what it waits for now', async () => {
  const begun = await begin('account')
  const { run } = begun
  await database.clock.advance(1_000)
  expect(
    await begun.park([
      { name: 'nap', place: 0, kind: 'sleep', ms: 60_000 },
      { name: 'paid', place: 1, kind: 'signal', signals: ['paid', 'void'] },
      {
        name: 'release',
        place: 2,
        kind: 'approval',
        approval: { title: 'Release it?', people: ['ada'], roles: ['finance'], quorum: 2, remind_ms: 10_000 },
      },
    ]),
  ).toBe('parked')
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    account, version 1: waiting

    Started through the SDK by postgres on DAY at 06:00:00.000 UTC.
    Has been waiting for 1.0 s, seen DAY at 06:00:01.000 UTC.

    What its steps did
      pay                                                                    waiting
        06:00:01.000  attempt 1 parked after 0 ms on test (1), having waited 1.0 s:
                      sleeps until DAY at 06:01:01.000 UTC, waits for signal
                      paid or void, waits for approval release

    What people did
      06:00:01.000  approval release was asked for pay: Release it?

    Where the time went
      running                     0 ms    0 %
      in the queue               1.0 s  100 %  ██████████████████████████████
      waiting for retries         0 ms    0 %

    What it does and waits for now
      pay: sleeps until 06:01:01.000 (in 1 min); or waits for signal paid or void;
        or waits for approval release, 0 of 2, from ada or finance: npx millrace
        approval approve ID

    Its workers
      test: process 1 on host here
    "
  `)
  await database.clock.advance(20_000)
  await promote(database)
  const [asked] = await listApprovals(caller, { states: ['open'], limit: 10 })
  expect(asked).toMatchObject({ run_id: run, pipeline: 'account', step: 'pay', item: null, approvals: 0 })
  await delegateApproval(caller, asked!.id, 'eve', { actor: 'ada', actorRoles: [] })
  const decision = { decision: 'approve', value: '{"n": 1}', comment: 'fine' } as const
  expect(
    await decideApproval(caller, asked!.id, decision, { actor: 'kim', actorRoles: ['finance'] }),
  ).toEqual({ state: 'open', approvals: 1, quorum: 2 })
  await expect(
    decideApproval(caller, asked!.id, decision, { actor: 'ada', actorRoles: null }),
  ).rejects.toMatchObject({ code: 'approval_forbidden' })
  const signal = { name: 'paid', payload: '{"cents": 5}', runId: run, idempotencyKey: null, toAll: false }
  expect(await sendSignal(caller, signal)).toMatchObject({ woke: 1, kept: false })
  await database.clock.advance(500)
  const second = await begun.next()
  await writeCheckpoints(caller, begun.worker, [
    { ...second, name: 'sum', place: 3, kind: 'run', value: '7', error: null },
  ])
  expect(await readCheckpoints(caller, { runId: run, step: 'pay', item: -1 })).toMatchObject([
    { name: 'paid', kind: 'signal', attempt: 1, value: { payload: { cents: 5 } } },
    { name: 'sum', kind: 'run', attempt: 2, value: 7, error: null },
  ])
  const nap = { name: 'nap', place: 0, kind: 'sleep', ms: 60_000 } as const
  await parkTasks(caller, begun.worker, [{ ...second, waits: [nap] }], null)
  await database.clock.advance(60_000)
  await promote(database)
  const third = await begun.next()
  await database.query(
    'select * from millrace.complete_tasks($1, $2, array[$3::bigint], array[$4::int], array[$5::int], array[null::jsonb])',
    [begun.worker.workerId, begun.worker.lockKey, third.taskId, third.stepId, third.attempt],
  )
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    account, version 1: completed

    Started through the SDK by postgres on DAY at 06:00:00.000 UTC.
    Completed after 1 min 21 s, on DAY at 06:01:21.500 UTC.

    What its steps did
      pay                                                    completed in 1 min 20 s
        06:00:01.000  attempt 1 parked after 0 ms on test (1), having waited 1.0 s:
                      sleeps until DAY at 06:01:01.000 UTC, waits for signal
                      paid or void, waits for approval release
        06:00:21.500  attempt 2 parked after 0 ms on test (1), having waited 500 ms:
                      sleeps until DAY at 06:01:01.000 UTC, waits for
                      approval release
        06:01:21.500  attempt 3 completed in 0 ms on test (1), having waited 20.5 s

    What people did
      06:00:01.000  approval release was asked for pay: Release it?
      06:00:21.000  approval release was still open for pay: a reminder
      06:00:21.000  ada let eve decide on approval release for pay
      06:00:21.000  kim approved release for pay: fine
      06:00:21.000  postgres sent signal paid for pay

    Where the time went
      running                     0 ms    0 %
      in the queue              22.0 s   27 %  ████████
      waiting for retries         0 ms    0 %
      parked                    59.5 s   73 %  ██████████████████████

    Its workers
      test: process 1 on host here
    "
  `)
  await expect(sendSignal(caller, signal)).rejects.toMatchObject({ code: 'run_ended' })
  await expect(
    decideApproval(caller, asked!.id, decision, { actor: 'eve', actorRoles: null }),
  ).rejects.toMatchObject({ code: 'approval_closed' })
})

test('the accounts of a caller and of what it called tell of each other', async () => {
  const begun = await begin('calls')
  const child = await registerPipeline(database, 'called', chain('work'))
  const id = newId(Date.parse(`${today}T06:00:00Z`))
  await begun.park([{ name: 'ask', place: 0, kind: 'call', start: { id, slug: 'called', input: 1 } }])
  expect(await told(begun.run)).toMatchInlineSnapshot(`
    "Run R
    calls, version 1: waiting

    Started through the SDK by postgres on DAY at 06:00:00.000 UTC.
    Has been waiting for 0 ms, seen DAY at 06:00:00.000 UTC.

    What its steps did
      pay                                                                    waiting
        06:00:00.000  attempt 1 parked after 0 ms on test (1): waits for run
                      ID

    What it called
      1 run: 1 pending
      pay, call ask: called ID, pending

    What it does and waits for now
      pay: waits for run ID

    Its workers
      test: process 1 on host here
    "
  `)
  const own = await registerWorker(database, {
    handlers: child.steps.map(({ handler }) => handler),
    leaseSeconds: 100_000,
  })
  const task = await claimOne(database, own)
  await complete(database, own, [{ task, output: 'done' }])
  expect(await told(id)).toMatchInlineSnapshot(`
    "Run R
    called, version 1: completed

    Started by pay of run ID (call ask), by
      postgres on DAY at 06:00:00.000 UTC.
    Completed after 0 ms, on DAY at 06:00:00.000 UTC.

    What its steps did
      work                                                         completed in 0 ms
        06:00:00.000  attempt 1 completed in 0 ms on test (1)

    Its workers
      test: process 1 on host here
    "
  `)
  expect(await readChildren(caller, { runId: begun.run, step: 'pay', item: -1, name: 'ask' })).toEqual([
    { place: 0, run_id: id, state: 'completed', output: 'done', error: null },
  ])
})

test('a wait for an endpoint is opened ahead, and not for an attempt that lost its task', async () => {
  const begun = await begin('endpoint')
  const token = createHash('sha256').update('secret').digest('hex')
  const waits = [{ name: 'ask', place: 0, kind: 'http', token, ms: 60_000 }] as const
  const task = await begun.next()
  expect(await openWaits(caller, begun.worker, [{ ...task, waits }])).toEqual([])
  const lost = await openWaits(caller, begun.worker, [{ ...task, attempt: 9, waits }])
  expect(lost.map(Number)).toEqual([task.taskId])
})

test('a call that may not start is refused by its code', async () => {
  const begun = await begin('refused-call')
  await registerPipeline(database, 'resting', chain('work'))
  await database.query("select millrace.pause_pipeline('resting', 'no')")
  const start = { id: newId(Date.parse(`${today}T06:00:00Z`)), slug: 'resting', input: 1 }
  await expect(begun.park([{ name: 'ask', place: 0, kind: 'call', start }])).rejects.toMatchObject({
    code: 'child_refused',
  })
})
