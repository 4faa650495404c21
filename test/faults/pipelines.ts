// The pipelines of the fault tests: a load of every shape that counts its effects, and steps that wait, end their process, or try to
// go on after they were told to stop.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { pipeline } from '../../src/sdk/pipeline.ts'
import type { Sql } from '../../src/sdk/context.ts'

/** Told by handlers: printed as a line by the program that runs them. */
export type Tell = (line: Record<string, unknown>) => void

const retry = { attempts: 20, initial: '50ms', max: '200ms' } as const
const shared = { input: z.object({ ms: z.number() }), retry }

export const effectTable = `create table if not exists public.effect (
  run_id uuid not null, step text not null, item int not null, attempt int not null, worker_pid int not null, at timestamptz not null default clock_timestamp())`

export const pieceTable = `create table if not exists public.piece (
  run_id uuid not null, piece int not null, attempt int not null, key text not null, intent float8 not null)`

const count = (sql: Sql, run: string, step: string, attempt: number) =>
  sql`insert into public.effect (run_id, step, item, attempt, worker_pid) values (${run}, ${step}, -1, ${attempt}, ${process.pid})`

/** Three steps in a row; the last writes its effect in its own transaction. */
const chain = pipeline('fault-chain', shared)
  .step('first', async ({ input }) => {
    await pause(input.ms)
    return 1
  })
  .step('second', async ({ input, steps }) => {
    await pause(input.ms)
    return steps.first + 1
  })
  .step('write', { tx: true }, async ({ input, steps, sql, run, step, attempt }) => {
    await count(sql, run.id, step, attempt)
    await pause(input.ms)
    return steps.second + 1
  })

/** A list, a task an item, and a sum that writes its effect. */
const spread = pipeline('fault-map', shared)
  .step('list', () => [1, 2, 3, 4, 5])
  .map('square', { over: 'list' }, async ({ item, input }) => {
    await pause(input.ms)
    return item * item
  })
  .step('write', { tx: true }, async ({ steps, sql, run, step, attempt }) => {
    await count(sql, run.id, step, attempt)
    return steps.square.reduce((sum, value) => sum + value, 0)
  })

/** Two branches that meet. */
const join = pipeline('fault-join', shared)
  .step('left', { after: [], tx: true }, async ({ sql, run, step, attempt }) => {
    await count(sql, run.id, step, attempt)
    return 2
  })
  .step('right', { after: [] }, async ({ input }) => {
    await pause(input.ms)
    return 3
  })
  .step('write', { after: ['left', 'right'], tx: true }, async ({ steps, sql, run, step, attempt }) => {
    await count(sql, run.id, step, attempt)
    return steps.left * steps.right
  })

/** What each run of the load gives, and which of its steps write an effect. */
export const load = [
  { pipeline: chain, output: 3, effects: ['write'] },
  { pipeline: spread, output: 55, effects: ['write'] },
  { pipeline: join, output: 6, effects: ['left', 'write'] },
] as const

/** The pipelines whose handlers tell what they do. */
export function holdPipelines(tell: Tell) {
  /** Waits until it is told to stop, or for its time; then goes on as a zombie would if it is asked to. */
  const hold = pipeline('fault-hold', {
    input: z.object({ ms: z.number(), deaf: z.boolean() }),
    retry,
  }).step('hold', async ({ input, abort, run, attempt, log }) => {
    tell({ kind: 'began', run: run.id, attempt })
    log('began')
    const stopped = await waited(input.ms, abort)
    if (stopped)
      tell({ kind: 'aborted', run: run.id, attempt, reason: String((abort.reason as Error).message) })
    if (stopped && !input.deaf) throw new Error('stopped')
    log('goes on')
    tell({ kind: 'ended', run: run.id, attempt })
    return attempt
  })

  /** Writes an effect, then waits inside its transaction. */
  const holdTransaction = pipeline('fault-hold-tx', { input: z.object({ ms: z.number() }), retry }).step(
    'hold',
    { tx: true },
    async ({ input, sql, run, step, attempt, abort }) => {
      await count(sql, run.id, step, attempt)
      tell({ kind: 'began', run: run.id, attempt })
      if (await waited(input.ms, abort)) {
        tell({ kind: 'aborted', run: run.id, attempt, reason: String((abort.reason as Error).message) })
      }
      return attempt
    },
  )

  /** Ends the process that runs it. */
  const poison = pipeline('fault-poison', { retry: { attempts: 3, initial: '10ms' } }).step(
    'die',
    ({ run, attempt }) => {
      tell({ kind: 'began', run: run.id, attempt })
      process.kill(process.pid, 'SIGKILL')
      return new Promise<never>(() => {})
    },
  )

  /** Keeps the process from hearing or saying anything on its first attempt, then writes its effect. */
  const block = pipeline('fault-block', { input: z.object({ ms: z.number() }), retry }).step(
    'block',
    { tx: true },
    async ({ input, sql, run, step, attempt }) => {
      tell({ kind: 'began', run: run.id, attempt })
      const until = performance.now() + (attempt === 1 ? input.ms : 0)
      while (performance.now() < until);
      await count(sql, run.id, step, attempt)
      return attempt
    },
  )

  /** Does one piece after the other, and kills its process in each attempt but the last: after a piece is stored, or before. */
  const pieces = pipeline('fault-pieces', {
    input: z.object({ pieces: z.number(), deaths: z.number() }),
    retry,
  }).step('work', { writes: true }, async ({ input, durable, sql, run, attempt }) => {
    const intent = await durable.run('intend', () => Math.random())
    for (let piece = 0; piece < input.pieces; piece++) {
      const isLast = attempt <= input.deaths && piece === attempt
      await durable.run(`piece-${piece}`, async ({ idempotencyKey }) => {
        await sql`insert into public.piece (run_id, piece, attempt, key, intent)
          values (${run.id}, ${piece}, ${attempt}, ${idempotencyKey}, ${intent})`
        if (isLast && attempt % 2 === 0) process.kill(process.pid, 'SIGKILL')
      })
      if (isLast) process.kill(process.pid, 'SIGKILL')
    }
    return attempt
  })

  /** Waits under a lock that all of its runs want. */
  const holdLock = pipeline('fault-lock', { input: z.object({ ms: z.number() }), retry }).step(
    'hold',
    ({ input, lock, run, attempt, abort }) =>
      lock('of-all', async ({ token }) => {
        tell({ kind: 'began', run: run.id, attempt, token })
        await waited(input.ms, abort)
        return token
      }),
  )

  /** Computes a value that all of its runs want. */
  const holdCache = pipeline('fault-cache', { input: z.object({ ms: z.number() }), retry }).step(
    'compute',
    ({ input, cache, run, attempt, abort }) =>
      cache('of-all', { ttl: '1h' }, async () => {
        tell({ kind: 'began', run: run.id, attempt })
        if (await waited(input.ms, abort)) throw new Error('stopped')
        return process.pid
      }),
  )

  /** Up to ten at once, each with its effect; a batch waits as long as its first item says. */
  const batch = pipeline('fault-batch', { input: z.object({ ms: z.number() }), retry }).batch(
    'all',
    { size: 10, within: 200, writes: true },
    async ({ items, sql, step }) => {
      tell({ kind: 'began', run: items[0]!.run.id, attempt: items[0]!.attempt })
      await pause(items[0]!.input.ms)
      for (const { run, attempt } of items) await count(sql, run.id, step, attempt)
      return items.map(({ attempt }) => attempt)
    },
  )

  return { hold, holdTransaction, poison, block, pieces, holdLock, holdCache, batch }
}

/** True where the signal fired first. */
function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return pause(ms, false, { signal }).catch(() => true)
}
