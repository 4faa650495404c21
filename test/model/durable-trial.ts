// A trial of durable operations: a program is run by a real worker on a real database, and what its handler saw and did is written down.
import { z } from 'zod'
import type { Durable } from '../../src/sdk/durable.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import type { TestEngine } from '../../src/testing/engine.ts'
import { type DurableTrial, type Operation, operationsOf } from './durable-arbitrary.ts'

/** What a handler did or saw, in the order of time. */
type Noted =
  | { readonly what: 'executed'; readonly name: string }
  | { readonly what: 'seen'; readonly name: string; readonly value: string }

export interface ObservedDurable {
  readonly notes: readonly Noted[]
  readonly state: string
  readonly output: unknown
  /** What is stored, by name, as often as it is. */
  readonly stored: readonly { readonly name: string; readonly value: unknown }[]
  /** The calls of runs that there are. */
  readonly children: readonly { readonly name: string; readonly input: number }[]
}

interface Diary {
  readonly trial: DurableTrial
  readonly notes: Noted[]
  readonly failuresLeft: Map<string, number>
}

/** By run: the handlers of a trial and who looks at them are in one process. */
const diaries = new Map<string, Diary>()
let drawn = 0

const doubling = pipeline('doubling', { input: z.number() }).step('double', ({ input }) => input * 2)
const programmed = pipeline('programmed', {
  input: z.object({ trial: z.number() }),
  retry: { attempts: 20, initial: 0, jitter: 'none' },
}).step('work', async ({ durable, input }) => {
  const diary = diaries.get(String(input.trial))!
  return followAll(diary.trial.program, durable, diary)
})

export const durablePipelines = [doubling, programmed]

async function followAll(program: readonly Operation[], durable: Durable, diary: Diary): Promise<unknown[]> {
  const values: unknown[] = []
  for (const operation of program) values.push(await follow(operation, durable, diary))
  return values
}

async function follow(operation: Operation, durable: Durable, diary: Diary): Promise<unknown> {
  const { name } = operation
  const left = diary.failuresLeft.get(name) ?? 0
  if (left > 0) {
    diary.failuresLeft.set(name, left - 1)
    throw new Error(`the attempt ends before ${name}`)
  }
  const value = await perform(operation, durable, diary)
  diary.notes.push({ what: 'seen', name, value: JSON.stringify(value) })
  return value
}

function perform(operation: Operation, durable: Durable, diary: Diary): Promise<unknown> {
  const { name } = operation
  switch (operation.kind) {
    case 'run':
      return durable.run(name, async () => {
        diary.notes.push({ what: 'executed', name })
        // Another one each time: only what is stored can be seen twice.
        return drawn++
      })
    case 'caught':
      return durable
        .run(name, () => {
          throw new Error(`${name} breaks`)
        })
        .catch((error: Error) => error.message)
    case 'now':
      return durable.now()
    case 'random':
      return durable.uuid()
    case 'sleep':
      return durable.sleep({ name, for: operation.ms }).then(() => null)
    case 'signal':
      return durable.signal(name, { as: name }).then((answer) => (answer as { payload: unknown }).payload)
    case 'call':
      return durable.call(doubling, operation.number, { as: name })
    case 'callMany':
      return durable
        .callMany(doubling, operation.numbers, { as: name })
        .then((outcomes) =>
          outcomes.map((outcome) => (outcome.state === 'completed' ? outcome.output : outcome.state)),
        )
    case 'all':
      return Promise.all(operation.parts.map((part) => followAll(part, durable, diary)))
    case 'any':
      // Who wins is part of the result.
      return Promise.race(
        operation.parts.map(async (part) => ({ by: part.name, value: await follow(part, durable, diary) })),
      )
  }
}

/** What signals bring. */
export const payloadOf = (name: string): string => `payload of ${name}`

/** Runs it to its end. */
export async function runDurableTrial(engine: TestEngine, trial: DurableTrial): Promise<ObservedDurable> {
  const key = diaries.size
  const diary: Diary = { trial, notes: [], failuresLeft: new Map(Object.entries(trial.failures)) }
  diaries.set(String(key), diary)
  const run = await engine.start(programmed, { trial: key })
  const signals = operationsOf(trial.program).filter(({ kind }) => kind === 'signal')
  const send = (name: string) => engine.signal(name, payloadOf(name), { run: run.id })
  for (const signal of signals) if (signal.kind === 'signal' && signal.early) await send(signal.name)
  for (const fault of trial.faults) {
    if (fault === 'crash') engine.crashAfter('work')
    else if (fault === 'lease') engine.loseLease(run)
    else engine.databaseGone('3s')
  }
  await engine.runUntilIdle({ advanceTime: true })
  for (const signal of signals) {
    if (signal.kind !== 'signal' || signal.early || (await isOver(engine, run.id))) continue
    await send(signal.name)
    await engine.runUntilIdle({ advanceTime: true })
  }
  const [row] = await engine.query<{ state: string; output: unknown }>(
    'select state, output from millrace.run where id = $1',
    [run.id],
  )
  return {
    notes: diary.notes,
    ...row!,
    stored: await engine.query<{ name: string; value: unknown }>(
      `select r.name, r.value from millrace.checkpoint c
        cross join lateral unnest(c.name || c.more_names, array[c.value] || c.more_values) r(name, value) where c.run_id = $1`,
      [run.id],
    ),
    children: await engine.query<{ name: string; input: number }>(
      'select parent_call as name, input from millrace.run where parent_run_id = $1 order by parent_call, parent_place',
      [run.id],
    ),
  }
}

async function isOver(engine: TestEngine, runId: string): Promise<boolean> {
  const rows = await engine.query('select 1 from millrace.run where id = $1 and finished_at is not null', [
    runId,
  ])
  return rows.length > 0
}
