// The rows about waiting: from the call that puts a task in to the beginning of its handler, in another process.
import { setTimeout as pause } from 'node:timers/promises'
import type { Moment } from '../agent-work.ts'
import { median, quantile, tailText } from '../../measure.ts'
import { NoValue } from '../measured-turn.ts'
import type { RowPlan, Size } from '../row.ts'
import type { Stage } from '../stage.ts'
import { allBegan, beganIn, recorded } from './began.ts'
import { warmDrain, warmWidth } from './warm-up.ts'

const pauseMs = 15
const samples = 50
const warmSamples = 3
const longestWaitMs = 20_000
const loadMs = 2_000

const quiet = 50
const flood = 10_000
const handlerMs = 10
const slots = 50

const idle: RowPlan = {
  name: 'start-idle',
  label: 'start to begin, idle, p50',
  unit: 'ms',
  better: 'less',
  how: `${samples} tasks one after the other, ${pauseMs} ms after the one before began; client and worker in two processes`,
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    const worker = await stage.agent('worker 0')
    await worker.call('startWorker', {})
    let put = 0
    const sample = async () => {
      const n = put++
      await pause(pauseMs)
      const sent = await client.call('burst', { from: n, count: 1 })
      await allBegan([worker], n + 1, longestWaitMs)
      return waitsOf(sent, await worker.call('begun'))
    }
    const unmeasured = warmWidth(stage, warmSamples)
    while (put < unmeasured) await sample()
    const { given: waits, cost } = await stage.metered(async () => {
      const ends = performance.now() + size.limitMs
      const all: number[] = []
      while (put < unmeasured + size.of(samples) && performance.now() < ends) all.push(...(await sample()))
      await recorded(worker)
      return all
    })
    await worker.call('stopWorker')
    if (waits.length === 0) throw new NoValue(`no task had begun after ${size.limitMs / 1_000} s`)
    return {
      value: median(waits),
      spent: { ...cost, units: waits.length },
      samples: waits,
      leftOver: false,
    }
  },
  noteOf: tailText,
}

const halfLoad: RowPlan = {
  name: 'start-half-load',
  label: 'start to begin, half load, p99',
  unit: 'ms',
  better: 'less',
  how: 'single calls at an even pace, half as many as the same two processes pass on at most, each from the moment at which it is due; the note says how many',
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    const worker = await stage.agent('worker 0')
    await worker.call('startWorker', {})
    const ratePerSecond = Math.max(1, (await passedOn(stage, size)) / 2)
    const before = worker.begun
    const { given: sent, cost } = await stage.metered(async () => {
      const sent = await client.call('pace', { ratePerSecond, ms: Math.min(loadMs, size.limitMs) })
      const began = (await allBegan([worker], before + sent.length, size.limitMs)) - before
      if (began < sent.length) throw lateReason(began, sent.length, size.limitMs)
      await recorded(worker)
      return sent
    })
    const waits = waitsOf(sent, (await worker.call('begun')).slice(before))
    await worker.call('stopWorker')
    return {
      value: quantile(waits, 0.99),
      spent: { ...cost, units: sent.length },
      samples: waits,
      leftOver: false,
      note: `${Math.round(ratePerSecond).toLocaleString('en-US')}/s`,
    }
  },
  noteOf: (waits) => `p50 ${median(waits).toFixed(1)} ms`,
}

/** How many single calls a second the client puts in and the worker begins, with fifty under way. */
async function passedOn(stage: Stage, size: Size): Promise<number> {
  const client = await stage.agent('client')
  const worker = await stage.agent('worker 0')
  const count = size.of(4_000)
  const limitMs = Math.min(3_000, size.limitMs)
  const beganMs = performance.now()
  const { done } = await client.call('enqueue', { count, width: 50, limitMs })
  const passed = await allBegan([worker], done, limitMs)
  const perSecond = (passed / (performance.now() - beganMs)) * 1_000
  // Those that were put in faster than they begin; that is not measured, and what is measured must not wait behind them.
  const began = await allBegan([worker], done, 3 * size.limitMs)
  if (began < done) throw lateReason(began, done, 3 * size.limitMs)
  await recorded(worker)
  return perSecond
}

/** A wait that nobody saw the end of has no length. */
function lateReason(began: number, count: number, waitedMs: number): NoValue {
  const [some, all] = [began, count].map((number) => number.toLocaleString('en-US'))
  return new NoValue(`only ${some} of ${all} tasks had begun ${waitedMs / 1_000} s after the last was put in`)
}

const noisyTenant: RowPlan = {
  name: 'noisy-tenant',
  label: 'wait of 50 quiet tenants, p95',
  unit: 'ms',
  better: 'less',
  how: `one task of each beside ${flood.toLocaleString('en-US')} of another; ${slots} slots, handlers of ${handlerMs} ms`,
  setup: { turns: true },
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    const worker = await stage.agent('worker 0')
    const floodCount = size.of(flood)
    await warmDrain(stage, [worker], size, { keys: 1, slots })
    await client.call('enqueueMany', { count: floodCount, keys: 1 })
    await stage.maintain('analyze')
    const { given, cost } = await stage.metered(async () => {
      await worker.call('startWorker', { slots, handlerMs })
      await allBegan([worker], 2 * slots, size.limitMs)
      const sent = await client.call('burst', { from: floodCount, count: quiet })
      const began = await allBegan([worker], floodCount + quiet, size.limitMs)
      const leftOver = began < floodCount + quiet
      if (!leftOver) await recorded(worker)
      await worker.call('stopWorker')
      return { sent, leftOver }
    })
    const { sent, leftOver } = given
    const waits = waitsOf(sent, await worker.call('begun'))
    if (waits.length < quiet) throw lateReason(waits.length, quiet, size.limitMs)
    return {
      value: quantile(waits, 0.95),
      spent: { ...cost, units: leftOver ? await beganIn([worker]) : floodCount + quiet },
      leftOver,
    }
  },
}

export const waitRows: readonly RowPlan[] = [idle, halfLoad, noisyTenant]

function waitsOf(sent: readonly Moment[], begun: readonly Moment[]): number[] {
  const sentAt = new Map(sent)
  return begun.flatMap(([n, at]) => {
    const from = sentAt.get(n)
    return from === undefined ? [] : [at - from]
  })
}
