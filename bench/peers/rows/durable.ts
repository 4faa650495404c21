// The rows about runs of durable steps: client and worker in one process, as the figures of `npm run bench` measure them.
import { setTimeout as pause } from 'node:timers/promises'
import { median, quantile } from '../../measure.ts'
import { NoValue, type RowPlan } from '../row.ts'
import type { Stage } from '../stage.ts'
import { recorded } from './queue.ts'

const takeoverLimitMs = 90_000
/** Both have lived for longer than a lease: a process that has just connected judges nobody, and services seldom start as another dies. */
const settledMs = 15_000

/** As many as take the fastest some seconds: of less, what its connections plan at first would be a good part. */
const runs = 20_000

const inFlight = ([50, 500] as const).map(
  (width): RowPlan => ({
    name: `three-steps-${width}`,
    label: `three-step runs, ${width} in flight`,
    unit: 'runs/s',
    better: 'more',
    how: `each run is started and its result awaited; ${runs.toLocaleString('en-US')} of them, or what 10 s allow`,
    turn: async (stage, size) => {
      const agent = await durable(stage, width)
      const limitMs = Math.min(10_000, size.limitMs)
      const { done, ms } = await agent.call('threeSteps', { count: size.of(runs), width, limitMs })
      await agent.call('stopDurable')
      return { value: (done / ms) * 1_000, units: done, leftOver: false }
    },
  }),
)

const idle: RowPlan = {
  name: 'three-steps-idle',
  label: 'three-step run, idle, p50',
  unit: 'ms',
  better: 'less',
  how: '100 runs one after the other with 10 ms between them, from the start to the result',
  turn: async (stage, size) => {
    const agent = await durable(stage, 1)
    const times = await agent.call('threeStepsApart', {
      count: size.of(100),
      pauseMs: 10,
      limitMs: size.limitMs,
    })
    await agent.call('stopDurable')
    return {
      value: median(times),
      units: times.length,
      leftOver: false,
      note: `p99 ${quantile(times, 0.99).toFixed(1)} ms`,
    }
  },
}

const fanOut: RowPlan = {
  name: 'fan-out-1000',
  label: 'fan-out of 1,000 and join',
  unit: 'ms',
  better: 'less',
  how: 'one run: a thousand steps side by side and one that has the results of all',
  turn: async (stage) => {
    const agent = await durable(stage, 1)
    const ms = await agent.call('fanOut', { width: 1_000 })
    await agent.call('stopDurable')
    return { value: ms, units: 1, leftOver: false }
  },
}

const manySteps: RowPlan = {
  name: 'steps-1000',
  label: '1,000 steps in one run',
  unit: 'ms',
  better: 'less',
  how: 'one after the other, each durable before the next',
  turn: async (stage) => {
    const agent = await durable(stage, 1)
    const ms = await agent.call('manySteps', { count: 1_000 })
    await agent.call('stopDurable')
    return { value: ms, units: 1, leftOver: false }
  },
}

/** Each turn has new processes: one is killed while its step hangs, another one waits for the work. */
const takeover: RowPlan = {
  name: 'takeover',
  label: 'kill -9 to begin elsewhere',
  unit: 's',
  better: 'less',
  how: `one task in hand of a process that is killed, until another one, which has worked for ${settledMs / 1_000} s, begins it; at most ${takeoverLimitMs / 1_000} s, all peers at the same time`,
  rounds: 3,
  together: true,
  turn: async (stage) => {
    const isQueue = stage.peer.takesOver === 'tasks'
    const doomed = await stage.agent('doomed')
    if (isQueue) {
      await doomed.call('startWorker', { slots: 1, hang: true })
      await (await stage.agent('client')).call('enqueue', { count: 1, width: 1, limitMs: takeoverLimitMs })
    } else {
      await doomed.call('startDurable', { inFlight: 1, hang: true })
      await doomed.call('startRun')
    }
    await began(doomed, 30_000)
    const heir = await stage.agent('heir')
    if (isQueue) await heir.call('startWorker', { slots: 1 })
    else await heir.call('startDurable', { inFlight: 1 })
    await pause(settledMs)
    doomed.kill()
    stage.forget('doomed')
    const killedMs = performance.now()
    const taken = await began(heir, takeoverLimitMs)
    const seconds = (performance.now() - killedMs) / 1_000
    if (!taken) throw new NoValue(`nobody else had begun its task after ${takeoverLimitMs / 1_000} s`)
    // What is not recorded would be taken over once more in the next turn.
    if (isQueue) await recorded(heir)
    await heir.call(isQueue ? 'stopWorker' : 'stopDurable')
    await heir.close()
    stage.forget('heir')
    return { value: seconds, units: 1, leftOver: false }
  },
}

export const durableRows: readonly RowPlan[] = [...inFlight, idle, fanOut, manySteps, takeover]

async function durable(stage: Stage, width: number) {
  const agent = await stage.agent('client')
  await agent.call('startDurable', { inFlight: width })
  return agent
}

/** Whether a task began in time. */
function began(
  agent: { begun: number; onBegun(heard: () => void): void },
  limitMs: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs)
    const look = () => {
      if (agent.begun === 0) return
      clearTimeout(timer)
      resolve(true)
    }
    agent.onBegun(look)
    look()
  })
}
