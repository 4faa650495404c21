// Approvals: who may decide, how many must, what comes too late, and what two who decide at once find.
import { beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  cancelRun,
  chain,
  claim,
  claimOne,
  promote,
  registerPipeline,
  registerWorker,
  type Sql,
  startRun,
  untilBlocked,
} from '../../../test/protocol.ts'
import { checkpointsOf, park } from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()
beforeEach(() => database.clock.reset())

interface Asked {
  run: string
  approval: string
  /** How many tasks can be claimed now. */
  woken(): Promise<number>
  result(): Promise<unknown>
}

async function ask(
  slug: string,
  approval: Record<string, unknown> = {},
  more: { ms?: number } = {},
): Promise<Asked> {
  const { steps } = await registerPipeline(database, slug, chain('only'))
  const worker = await registerWorker(database, {
    handlers: steps.map(({ handler }) => handler),
    leaseSeconds: 10_000_000,
  })
  const { run_id: run } = await startRun(database, slug)
  const task = await claimOne(database, worker)
  await park(database, worker, [{ task, waits: [{ name: 'release', kind: 'approval', approval, ...more }] }])
  const [row] = await database.query<{ id: string }>('select id from millrace.approval where run_id = $1', [
    run,
  ])
  return {
    run,
    approval: row?.id ?? '',
    woken: async () => (await claim(database, worker, 5)).length,
    result: async () => (await checkpointsOf(database, run, 'only'))['release'],
  }
}

interface Decided {
  state: string
  approvals: number
  quorum: number
}

async function decide(
  sql: Sql,
  approval: string,
  decision: string,
  options: { actor?: string; roles?: string[]; value?: unknown; comment?: string } = {},
): Promise<Decided> {
  const [row] = await sql.query<Decided & Record<string, unknown>>(
    'select * from millrace.decide_approval($1, $2, $3, $4, coalesce($5, session_user::text), $6)',
    [
      approval,
      decision,
      options.value === undefined ? null : JSON.stringify(options.value),
      options.comment ?? null,
      options.actor ?? null,
      options.roles ?? null,
    ],
  )
  if (row === undefined) throw new Error('the decision was not answered')
  return row
}

const delegate = (approval: string, to: string, actor: string) =>
  database.query('select millrace.delegate_approval($1, $2, $3)', [approval, to, actor])

const eventsOf = async (run: string): Promise<string[]> =>
  (
    await database.query<{ kind: string }>('select kind from millrace.event where run_id = $1 order by id', [
      run,
    ])
  ).map(({ kind }) => kind)

test('an approval brings its value, its comment and who decided', async () => {
  const asked = await ask('plain', { title: 'Release?' })
  expect(
    await decide(database, asked.approval, 'approve', { actor: 'ada', value: { n: 1 }, comment: 'fine' }),
  ).toEqual({ state: 'approved', approvals: 1, quorum: 1 })
  expect(await asked.result()).toEqual({
    state: 'approved',
    by: ['ada'],
    value: { n: 1 },
    comment: 'fine',
  })
  expect(await asked.woken()).toBe(1)
  expect(await eventsOf(asked.run)).toEqual(['approval.asked', 'approval.decided'])
  await cancelRun(database, asked.run)
})

test('a quorum of people must approve, each of them once, and one rejection rejects', async () => {
  const asked = await ask('quorum', { people: ['ada', 'bob', 'eve'], quorum: 2 })
  expect(await decide(database, asked.approval, 'approve', { actor: 'ada' })).toMatchObject({
    state: 'open',
    approvals: 1,
  })
  await expect(decide(database, asked.approval, 'approve', { actor: 'ada' })).rejects.toMatchObject({
    code: 'MR021',
    message: expect.stringContaining('has decided already'),
  })
  expect(await asked.woken()).toBe(0)
  expect(await decide(database, asked.approval, 'reject', { actor: 'eve', comment: 'no' })).toMatchObject({
    state: 'rejected',
  })
  expect(await asked.result()).toMatchObject({ state: 'rejected', by: ['eve'], comment: 'no' })
  await expect(decide(database, asked.approval, 'approve', { actor: 'bob' })).rejects.toMatchObject({
    code: 'MR020',
    message: expect.stringContaining('it was rejected on'),
  })
  await cancelRun(database, asked.run)
})

test('only its people, members of its roles, and those in their place may decide', async () => {
  const asked = await ask('allowed', { people: ['ada'], roles: ['finance', 'millrace_operator'] })
  for (const refused of [{ actor: 'eve' }, { actor: 'eve', roles: ['sales'] }, { actor: '' }])
    await expect(decide(database, asked.approval, 'approve', refused)).rejects.toMatchObject({
      code: 'MR021',
    })
  await delegate(asked.approval, 'eve', 'ada')
  await expect(decide(database, asked.approval, 'approve', { actor: 'ada' })).rejects.toMatchObject({
    message: expect.stringContaining('has given it to eve'),
  })
  expect(await decide(database, asked.approval, 'approve', { actor: 'eve' })).toMatchObject({
    state: 'approved',
  })
  await cancelRun(database, asked.run)

  const byRole = await ask('by-role', { roles: ['finance'] })
  await decide(database, byRole.approval, 'approve', { actor: 'kim', roles: ['finance'] })
  await cancelRun(database, byRole.run)

  // A superuser is a member of every role that exists.
  const byLogin = await ask('by-login', { roles: ['millrace_operator'] })
  await decide(database, byLogin.approval, 'approve')
  await cancelRun(database, byLogin.run)
})

test('what was delegated can be given back, and only by whoever has it', async () => {
  const asked = await ask('given-back', { people: ['ada'] })
  await delegate(asked.approval, 'eve', 'ada')
  await expect(delegate(asked.approval, 'kim', 'ada')).rejects.toMatchObject({ code: 'MR021' })
  await delegate(asked.approval, 'ada', 'eve')
  await expect(decide(database, asked.approval, 'approve', { actor: 'eve' })).rejects.toMatchObject({
    code: 'MR021',
  })
  await decide(database, asked.approval, 'approve', { actor: 'ada' })
  await cancelRun(database, asked.run)
})

test('nobody delegates to somebody who has decided, nor in a circle, in which nobody could decide or give it back', async () => {
  const round = await ask('goes-round', { people: ['ada', 'bob', 'eve'] })
  await delegate(round.approval, 'bob', 'ada')
  await delegate(round.approval, 'eve', 'bob')
  await expect(delegate(round.approval, 'ada', 'eve')).rejects.toMatchObject({
    code: 'MR014',
    message: "to_actor must be whoever gave it to 'eve', or somebody from whom it did not come, not 'ada'.",
  })
  await delegate(round.approval, 'bob', 'eve')
  await delegate(round.approval, 'ada', 'bob')
  expect(await decide(database, round.approval, 'approve', { actor: 'ada' })).toMatchObject({
    state: 'approved',
  })
  await cancelRun(database, round.run)

  const late = await ask('has-decided', { people: ['ada', 'bob'], quorum: 2 })
  await decide(database, late.approval, 'approve', { actor: 'bob' })
  await expect(delegate(late.approval, 'bob', 'ada')).rejects.toMatchObject({
    code: 'MR014',
    message: "to_actor must be somebody who has not decided yet, not 'bob'.",
  })
  expect(await decide(database, late.approval, 'approve', { actor: 'ada' })).toMatchObject({
    state: 'approved',
  })
  await cancelRun(database, late.run)
})

test.each([
  ['fail', 'expired'],
  ['skip', 'expired'],
  ['approve', 'approved'],
  ['reject', 'rejected'],
])('an approval that nobody decided expires, otherwise %s: its step reads %s', async (otherwise, state) => {
  const asked = await ask(`expires-${otherwise}`, { otherwise }, { ms: 1_000 })
  await database.clock.advance(1_001)
  // Over one connection: a server says that a statement failed before it lets go of its locks, and a promotion passes over what is locked.
  await expect(decide(one, asked.approval, 'approve')).rejects.toMatchObject({
    code: 'MR020',
    message: expect.stringContaining('it expired on'),
  })
  expect(await promote(one)).toBe(1)
  expect(await asked.result()).toEqual({
    state,
    expired: true,
    otherwise,
    by: [],
    value: null,
    comment: null,
  })
  expect(await database.query('select state from millrace.approval where id = $1', [asked.approval])).toEqual(
    [{ state: 'expired' }],
  )
  await cancelRun(database, asked.run)
})

test('a decision and the expiry that meet: one of them counts, and the step wakes once', async () => {
  const decided = await ask('decided-first', {}, { ms: 1_000 })
  await one.query('begin')
  await decide(one, decided.approval, 'approve', { actor: 'ada' })
  await database.clock.advance(1_001)
  expect(await promote(other)).toBe(0)
  await one.query('commit')
  await promote(database)
  expect(await decided.result()).toMatchObject({ state: 'approved', by: ['ada'] })
  expect(await decided.woken()).toBe(1)
  await cancelRun(database, decided.run)

  await database.clock.reset()
  const expired = await ask('expired-first', {}, { ms: 1_000 })
  await database.clock.advance(1_001)
  await one.query('begin')
  expect(await promote(one)).toBe(1)
  // The clock goes back: only what the expiry has done refuses the decision now.
  await database.clock.advance(-1_001)
  const deciding = decide(other, expired.approval, 'approve', { actor: 'ada' }).catch(
    (error: unknown) => error,
  )
  await untilBlocked(database)
  await one.query('commit')
  expect(await deciding).toMatchObject({ code: 'MR020' })
  // An error is told before the server gives the locks back; the next answer comes after.
  await other.query('select 1')
  expect(await expired.result()).toMatchObject({ state: 'expired' })
  expect(await expired.woken()).toBe(1)
  await cancelRun(database, expired.run)
})

test('two who decide at once: the second sees what the first decided', async () => {
  const asked = await ask('at-once', { quorum: 2 })
  await one.query('begin')
  expect(await decide(one, asked.approval, 'approve', { actor: 'ada' })).toMatchObject({ state: 'open' })
  const second = decide(other, asked.approval, 'approve', { actor: 'bob' })
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toMatchObject({ state: 'approved', approvals: 2 })
  expect(await asked.result()).toMatchObject({ by: ['ada', 'bob'] })
  expect(await asked.woken()).toBe(1)
  await cancelRun(database, asked.run)
})

test('an approval of a run that was cancelled is closed, and a decision on it is refused with the reason', async () => {
  const asked = await ask('run-gone')
  await cancelRun(database, asked.run)
  await expect(decide(database, asked.approval, 'approve')).rejects.toMatchObject({
    code: 'MR020',
    message: expect.stringContaining('its step or run ended on'),
  })
  await expect(decide(database, '00000000-0000-0000-0000-000000000000', 'approve')).rejects.toMatchObject({
    code: 'MR019',
  })
  await expect(decide(database, asked.approval, 'perhaps')).rejects.toMatchObject({ code: 'MR014' })
})

test('a reminder is written once, at its time, and not for what is decided', async () => {
  const asked = await ask('reminded', { remind_ms: 1_000 })
  const decided = await ask('not-reminded', { remind_ms: 1_000 })
  await decide(database, decided.approval, 'approve')
  await promote(database)
  expect(await eventsOf(asked.run)).toEqual(['approval.asked'])
  await database.clock.advance(1_001)
  await promote(database)
  await promote(database)
  expect(await eventsOf(asked.run)).toEqual(['approval.asked', 'approval.reminded'])
  expect(await eventsOf(decided.run)).not.toContain('approval.reminded')
  await cancelRun(database, asked.run)
  await cancelRun(database, decided.run)
})
