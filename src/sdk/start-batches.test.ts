// The batches of single starts, and those that wait beside them for what somebody's open transaction holds.
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Transaction } from '../db/call.ts'
import { countStatements, openMillrace } from '../../test/millrace.ts'
import { newId, untilBlocked } from '../../test/protocol.ts'
import { pipeline } from './pipeline.ts'
import { SealedRuns } from './sealed-runs.ts'
import { pendingStart } from './start.ts'
import { StartBatches } from './start-batches.ts'
import type { StartParts } from './start-call.ts'

const { database, opened } = await openMillrace()

const numbered = pipeline('numbered', { input: z.object({ n: z.number() }) }).step(
  'do',
  ({ input }) => input.n,
)
const keyed = pipeline('keyed', { input: z.object({ state: z.string() }), key: 'state' }).step('do', () => 1)
const paired = pipeline('paired', {
  input: z.object({ state: z.string(), year: z.number() }),
  key: ['state', 'year'],
}).step('do', () => 1)

/** A transaction that stays open, with a start in it. */
async function holding(start: (tx: Transaction) => Promise<unknown>) {
  const own = await database.pool.connect()
  await own.query('begin')
  await start(own)
  return async () => {
    await own.query('rollback')
    own.release()
  }
}

test.each([
  ['by its name', 'keyed', keyed] as const,
  ['of a pipeline whose run key has two parts', paired, paired] as const,
])(
  'starts %s wait behind the first of their run key, and burden no batch of others',
  async (_, named, held) => {
    const client = opened.client()
    const release = await holding((tx) => client.start(held, { state: 'held', year: 1 }, { tx }))
    const start = (state: string) => client.start(named, { state, year: 1 })
    const waiting = [start('held')]
    await untilBlocked(database)
    // Answered by the batch after the one that waited in vain.
    await client.start(numbered, { n: 1 })
    const statements = countStatements()
    for (let n = 0; n < 40; n++) waiting.push(start('held'))
    expect(await start('free')).toMatchObject({ created: true })
    statements.stop()
    // One for the free one; the others are turns of the first that waits.
    expect(statements.sent.filter((name) => name === 'millrace_start_runs').length).toBeLessThanOrEqual(3)
    await release()
    const answers = await Promise.all(waiting)
    expect(answers.filter(({ created }) => created)).toHaveLength(1)
  },
)

test('starts with a callback that wait for what an open transaction holds leave the client its connections', async () => {
  const client = opened.client()
  const callback = { url: 'https://hooks.example.com/ends', secret: 'hooks/ends' }
  const release = await holding((tx) => client.start(keyed, { state: 'told' }, { tx }))
  const waiting = Array.from({ length: 12 }, () => client.start(keyed, { state: 'told' }, { callback }))
  await untilBlocked(database)
  const others = await Promise.all([
    client.start(keyed, { state: 'other' }, { callback: { ...callback, events: ['failed'] } }),
    client.start(keyed, { state: 'another' }, { callback }),
    client.start(numbered, { n: 1 }),
  ])
  expect(others.map(({ created }) => created)).toEqual([true, true, true])
  await client.run(others[0].run!.id).cancel()
  await release()
  const answers = await Promise.all(waiting)
  const [first, ...more] = answers.filter(({ created }) => created)
  expect(more).toEqual([])
  // Each with its own, and none for a start that created nothing.
  expect(
    await database.query('select run_id, ends from millrace.callback where slug is null order by run_id'),
  ).toEqual(
    [
      { run_id: others[0].run!.id, ends: ['failed'] },
      { run_id: others[1].run!.id, ends: ['cancelled', 'completed', 'failed'] },
      { run_id: first!.run!.id, ends: ['cancelled', 'completed', 'failed'] },
    ].toSorted((a, b) => (a.run_id < b.run_id ? -1 : 1)),
  )
})

/** Batches of a database where each call waits in vain for a second, and their clock. */
function heldUpBatches(onCall: (ms: number) => void = () => {}) {
  const heldUp = Object.assign(new Error('a lock took too long'), {
    code: '55P03',
    severity: 'ERROR',
  })
  const clock = { ms: 0 }
  const caller = {
    call: () => {
      clock.ms += 1_000
      onCall(clock.ms)
      return Promise.reject(heldUp)
    },
  }
  const parts: StartParts = {
    via: 'sdk',
    caller,
    sealed: new SealedRuns(caller, undefined),
    inTransaction: (work) => work(caller),
  }
  return {
    starts: new StartBatches(
      parts,
      () => undefined,
      4,
      () => clock.ms,
    ),
    clock,
    heldUp,
  }
}

const pairedStart = (state: string) =>
  pendingStart(
    { slug: 'paired', version: 1, id: newId(), input: { state, year: 26 }, graph: paired.graph },
    {},
  )

test('a start that has waited in vain for a minute is given up with an error that names its run key', async () => {
  const { starts, heldUp } = heldUpBatches()
  const start = { slug: 'paired', version: 1, id: newId(), input: { state: 'TX', year: 26 } }
  await expect(starts.start(pendingStart({ ...start, graph: paired.graph }, {}))).rejects.toMatchObject({
    code: 'start_held_up',
    message: expect.stringContaining("The start of 'paired' with run key 'TX, 26' was given up"),
    fields: { pipeline: 'paired', key: 'TX, 26' },
    cause: heldUp,
  })
  await expect(starts.start(pendingStart(start, {}))).rejects.toMatchObject({
    code: 'start_held_up',
    fields: { pipeline: 'paired' },
  })
})

test('each start of a run key that is held is given up after a minute of its own, those that came together together', async () => {
  const given: Array<[string, number]> = []
  let late: Promise<void> | undefined
  const { starts, clock } = heldUpBatches((ms) => {
    if (ms >= 30_000) late ??= isGivenUp('late')
  })
  const isGivenUp = (name: string) =>
    expect(starts.start(pairedStart('TX')).finally(() => given.push([name, clock.ms]))).rejects.toMatchObject(
      { code: 'start_held_up' },
    )
  await Promise.all(['first', 'second', 'third'].map(isGivenUp))
  await late
  const seconds = Object.fromEntries(given.map(([name, ms]) => [name, Math.floor(ms / 1_000)]))
  expect(given.map(([name]) => name)).toEqual(['first', 'second', 'third', 'late'])
  expect(seconds.first).toBeLessThan(63)
  expect(seconds.third! - seconds.first!).toBeLessThan(2)
  expect(seconds.late).toBeGreaterThanOrEqual(90)
  expect(seconds.late).toBeLessThan(93)
})

test('where more run keys are held than ask at a time, a minute is no longer for it, and the error says how long it was', async () => {
  const { starts, clock } = heldUpBatches()
  const messages = await Promise.all(
    Array.from({ length: 10 }, (_, n) => starts.start(pairedStart(`held ${n}`)).catch(String)),
  )
  // Ten turns of a second each until every key has had its last.
  expect(clock.ms).toBeLessThan(120_000)
  for (const message of messages) expect(message).toMatch(/it waited for (6|7|8|9|10)\d seconds/)
})
