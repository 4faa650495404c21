// Random graphs, worked by random workers that complete, skip, fail, release, die and stop: whatever happened, every run comes to an end and
// every invariant holds.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrokenInvariants } from './checker.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import {
  type CompletionAnswer,
  cancelRun,
  claim,
  complete,
  fail,
  heartbeat,
  pauseRun,
  promote,
  registerPipeline,
  registerWorker,
  release,
  resumeRun,
  runOf,
  type StepSpec,
  startRun,
  sweep,
  type Task,
  type Worker,
} from './protocol.ts'

let database: TestDatabase
let pipelines = 0
beforeAll(async () => {
  database = await createTestDatabase()
  await database.clock.freeze()
  await database.clock.advance('1 day')
})
afterAll(() => database.close())

/** A small generator of whole numbers below n, the same for the same seed (mulberry32). */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Roll = (below: number) => number

function randomGraph(roll: Roll): StepSpec[] {
  const names = Array.from({ length: 1 + roll(9) }, (_, n) => `s${n}`)
  return names.map((name, n) => {
    const before = names.slice(0, n)
    const after = before.filter(() => roll(3) === 0)
    const base = {
      name,
      after: after.length === 0 && n > 0 && roll(3) > 0 ? names.slice(n - 1, n) : after,
      queue: roll(4) === 0 ? 'second' : 'default',
      max_attempts: 1 + roll(3),
      backoff: { initial_ms: roll(2) * 1000, jitter: 'none' as const },
      ...randomOutcome(roll),
    }
    const over = base.after[0]
    const step = {
      ...base,
      ...(base.after.length > 0 && roll(4) === 0 ? { if_skipped: 'skip' as const } : {}),
    }
    if (over === undefined || roll(4) > 0) return step
    return {
      ...step,
      kind: 'map' as const,
      over,
      ...(roll(2) === 0 ? { concurrency: 1 + roll(2) } : {}),
      ...(roll(2) === 0 ? { fail_after: [0, 1, '50%', '100%'][roll(4)]! } : {}),
    }
  })
}

/** Half of the steps fail their run, as most do; a fallback is a list, since a map may go over it. */
function randomOutcome(roll: Roll): Pick<StepSpec, 'on_error'> {
  const outcome = roll(4)
  if (outcome === 0) return { on_error: 'skip' }
  return outcome === 1 ? { on_error: { fallback: [1, 2] } } : {}
}

/** What follows the outcome: some steps are undone, and each outcome may have a step of its own. */
function randomEndings(steps: readonly StepSpec[], roll: Roll): StepSpec[] {
  const undone = steps.filter(() => roll(3) === 0)
  return [
    ...undone.map(({ name }) => ({
      name: `undo-${name}`,
      kind: 'undo',
      undoes: name,
      max_attempts: 1 + roll(2),
      backoff: { initial_ms: 0 },
    })),
    ...(roll(3) === 0 ? [{ name: 'on-failure', kind: 'finally', follows: 'failed' as const }] : []),
    ...(roll(3) === 0 ? [{ name: 'on-success', kind: 'finally', follows: 'completed' as const }] : []),
  ]
}

/** What the test knows of a worker: what it was given, and whether it still lives. */
interface Hands {
  worker: Worker
  held: Task[]
  alive: boolean
}

/** Mostly lists, so that maps find some; now and then what is no list. */
function randomOutput(roll: Roll): unknown {
  if (roll(40) === 0) return 'no list'
  return Array.from({ length: roll(4) }, (_, n) => n)
}

const errors = [
  { code: 'E', message: 'again', retryable: true },
  { code: 'E', message: 'again', retryable: true },
  { code: 'P', message: 'never', retryable: false },
]

async function actWith(hands: Hands, roll: Roll): Promise<void> {
  const tasks = hands.held.filter(() => roll(3) > 0)
  const move = tasks.length === 0 ? 0 : 1 + roll(12)
  if (move === 0) {
    hands.held.push(...(await claim(database, hands.worker, 1 + roll(5))))
    return
  }
  hands.held = hands.held.filter((task) => !tasks.includes(task))
  if (move <= 9) {
    const completions = tasks.map((task) =>
      roll(8) === 0 ? { task, skipReason: 'no' } : { task, output: randomOutput(roll) },
    )
    const answers = await complete(database, hands.worker, completions, {
      room: roll(4),
      watched: roll(2) === 0,
    })
    hands.held.push(...nextOf(answers, tasks))
  } else if (move === 10) {
    await fail(
      database,
      hands.worker,
      tasks.map((task) => ({ task, error: errors[roll(roll(3) === 0 ? 3 : 2)] ?? {} })),
    )
  } else if (move === 11) await release(database, hands.worker, tasks)
  else if (roll(2) === 0) hands.alive = false
  else {
    hands.alive = false
    await database.query('select millrace.stop_worker($1, $2)', [hands.worker.id, hands.worker.lockKey])
  }
}

/** A chain's next step comes without the run, which the task before it knows. */
function nextOf(answers: CompletionAnswer[], before: Task[]): Task[] {
  const known = new Map(before.map((task) => [task.task_id, task]))
  return answers.flatMap((answer) =>
    answer.kind === 'next'
      ? [{ ...answer, run_id: answer.run_id ?? known.get(answer.task_id)?.run_id, item: answer.item ?? -1 }]
      : [],
  )
}

/** Everybody who lives says so, and hears what he has lost or must abort. */
async function beat(hands: Hands[]): Promise<void> {
  for (const hand of hands.filter(({ alive }) => alive)) {
    const answers = await heartbeat(database, hand.worker, hand.held)
    const lost = new Set(answers.filter(({ kind }) => kind === 'lost').map(({ task_id }) => task_id))
    const aborted = new Set(answers.filter(({ kind }) => kind === 'abort').map(({ task_id }) => task_id))
    await release(
      database,
      hand.worker,
      hand.held.filter(({ task_id }) => aborted.has(task_id)),
    )
    hand.held = hand.held.filter(({ task_id }) => !lost.has(task_id) && !aborted.has(task_id))
  }
}

async function play(seed: number): Promise<void> {
  const roll = dice(seed)
  const slug = `graph-${pipelines++}`
  const written = randomGraph(roll)
  const { steps } = await registerPipeline(database, slug, [...written, ...randomEndings(written, roll)])
  const handlers = [...new Set(steps.map(({ handler }) => handler))]
  const runs: string[] = []
  for (let n = 0; n <= roll(4); n++) {
    const now = await database.clock.now()
    const availableAt = roll(3) === 0 ? { availableAt: new Date(now.getTime() + 5000).toISOString() } : {}
    runs.push((await startRun(database, slug, null, { priority: 1 + roll(9), ...availableAt })).run_id)
  }
  const hire = async (): Promise<Hands> => ({
    worker: await registerWorker(database, {
      handlers: roll(3) === 0 ? handlers.slice(0, 1) : handlers,
      leaseSeconds: 10,
    }),
    held: [],
    alive: true,
  })
  const hands = [await hire(), await hire()]
  for (let turn = 0; turn < 60; turn++) {
    const hand = hands[roll(hands.length)]
    if (hand?.alive) await actWith(hand, roll)
    else hands.push(await hire())
    if (roll(12) === 0) await cancelRun(database, runs[roll(runs.length)] ?? '', roll(2) === 0)
    if (roll(12) === 0) await pauseRun(database, runs[roll(runs.length)] ?? '')
    if (roll(6) === 0) await resumeRun(database, runs[roll(runs.length)] ?? '')
    await database.clock.advance(1 + roll(3000))
    await beat(hands)
    if (roll(3) === 0) await sweep(database)
    await promote(database)
  }
  await finish(hands, handlers, runs)
  for (const run of runs)
    expect(['completed', 'failed', 'cancelled']).toContain((await runOf(database, run)).state)
  expect(await findBrokenInvariants(database, runs)).toEqual([])
}

/** The last worker serves all and only completes; the others are gone. */
async function finish(hands: Hands[], handlers: number[], runs: string[]): Promise<void> {
  for (const { worker } of hands)
    await database.query('select millrace.stop_worker($1, $2)', [worker.id, worker.lockKey])
  for (const run of runs) await resumeRun(database, run)
  await database.clock.advance('1 day')
  while ((await sweep(database)) > 0);
  await promote(database)
  const worker = await registerWorker(database, { handlers, leaseSeconds: 1_000_000 })
  for (let held: Task[] = await claim(database, worker, 100); held.length > 0; ) {
    const answers = await complete(
      database,
      worker,
      held.map((task) => ({ task, output: [1] })),
      { room: 100 },
    )
    expect(answers.filter(({ kind }) => kind === 'lost')).toEqual([])
    held = nextOf(answers, held)
    if (held.length === 0) held = await claim(database, worker, 100)
  }
  await database.query('select millrace.stop_worker($1, $2)', [worker.id, worker.lockKey])
}

test('the checker (I1 to I6, I11) finds nothing after random graphs met skips, failures, fallbacks, deaths, pauses, undos and cancels', async () => {
  await fc.assert(fc.asyncProperty(fc.integer(), play), { numRuns: 40, seed: 20_261 })
}, 120_000)
