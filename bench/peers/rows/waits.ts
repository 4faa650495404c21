// The rows about waiting: from the call that puts a task in to the beginning of its handler, in another process.
import { setTimeout as pause } from 'node:timers/promises'
import type { Moment } from '../agent.ts'
import { median, quantile } from '../../measure.ts'
import type { RowPlan, Size } from '../row.ts'
import type { Stage } from '../stage.ts'
import { allBegan, recorded } from './queue.ts'

const pauseMs = 15
const samples = 50
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
    const waits: number[] = []
    const ends = performance.now() + size.limitMs
    for (let n = 0; n < size.of(samples) && performance.now() < ends; n++) {
      await pause(pauseMs)
      const sent = await client.call('burst', { from: n, count: 1 })
      await allBegan([worker], n + 1, longestWaitMs)
      waits.push(...waitsOf(sent, await worker.call('begun')))
    }
    await recorded(worker)
    await worker.call('stopWorker')
    return {
      value: median(waits),
      units: waits.length,
      leftOver: false,
      note: `p99 ${quantile(waits, 0.99).toFixed(1)} ms`,
    }
  },
}

const halfLoad: RowPlan = {
  name: 'start-half-load',
  label: 'start to begin, half load, p99',
  unit: 'ms',
  better: 'less',
  how: 'single calls at an even pace, half as many as the same two processes pass on at most; the note says how many',
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    const worker = await stage.agent('worker 0')
    await worker.call('startWorker', {})
    const most = await passedOn(stage, size)
    const ratePerSecond = Math.max(1, most / 2)
    const before = worker.begun
    const sent = await client.call('pace', { ratePerSecond, ms: Math.min(loadMs, size.limitMs) })
    const began = await allBegan([worker], before + sent.length, size.limitMs)
    const waits = waitsOf(sent, (await worker.call('begun')).slice(before))
    const leftOver = began < before + sent.length
    if (!leftOver) await recorded(worker)
    await worker.call('stopWorker')
    return {
      value: quantile(waits, 0.99),
      units: sent.length,
      leftOver,
      note: `${Math.round(ratePerSecond).toLocaleString('en-US')}/s, p50 ${median(waits).toFixed(1)} ms`,
    }
  },
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
  await allBegan([worker], done, size.limitMs)
  return perSecond
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
    await client.call('enqueueMany', { count: floodCount, keys: 1 })
    await worker.call('startWorker', { slots, handlerMs })
    await allBegan([worker], 2 * slots, size.limitMs)
    const sent = await client.call('burst', { from: floodCount, count: quiet })
    const began = await allBegan([worker], floodCount + quiet, size.limitMs)
    const waits = waitsOf(sent, await worker.call('begun'))
    const leftOver = began < floodCount + quiet
    if (!leftOver) await recorded(worker)
    await worker.call('stopWorker')
    return {
      value: waits.length < quiet ? size.limitMs : quantile(waits, 0.95),
      units: floodCount + quiet,
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
