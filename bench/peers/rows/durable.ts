// The rows about runs of durable steps: client and worker in one process, as the figures of `npm run bench` measure them.
import { setTimeout as pause } from 'node:timers/promises'
import { median, tailText } from '../../measure.ts'
import { NoValue } from '../measured-turn.ts'
import type { RowPlan } from '../row.ts'
import type { Stage } from '../stage.ts'
import { recorded } from './began.ts'
import { kills, leastSettledMs, settledMs, settledStepMs } from './settled.ts'
import { warmLimitMs, warmWidth } from './warm-up.ts'

const takeoverLimitMs = 90_000
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
      await warmRuns(stage, width)
      const { given, cost } = await stage.metered(() =>
        agent.call('threeSteps', { count: size.of(runs), width, limitMs }),
      )
      const { done, ms } = given
      await agent.call('stopDurable')
      return { value: (done / ms) * 1_000, spent: { ...cost, units: done }, leftOver: false }
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
    await warmRuns(stage, 1)
    const { given: times, cost } = await stage.metered(() =>
      agent.call('threeStepsApart', { count: size.of(100), pauseMs: 10, limitMs: size.limitMs }),
    )
    await agent.call('stopDurable')
    return {
      value: median(times),
      spent: { ...cost, units: times.length },
      samples: times,
      leftOver: false,
    }
  },
  noteOf: tailText,
}

const fanOut: RowPlan = {
  name: 'fan-out-1000',
  label: 'fan-out of 1,000 and join',
  unit: 'ms',
  better: 'less',
  how: 'one run: a thousand steps side by side and one that has the results of all',
  turn: async (stage) => {
    const agent = await durable(stage, 1)
    // One run has a thousand calls under way, and nothing less opens as many connections.
    await agent.call('fanOut', { width: 1_000 })
    const { given: ms, cost } = await stage.metered(() => agent.call('fanOut', { width: 1_000 }))
    await agent.call('stopDurable')
    return { value: ms, spent: { ...cost, units: 1 }, leftOver: false }
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
    await warmRuns(stage, 1)
    const { given: ms, cost } = await stage.metered(() => agent.call('manySteps', { count: 1_000 }))
    await agent.call('stopDurable')
    return { value: ms, spent: { ...cost, units: 1 }, leftOver: false }
  },
}

/** Each turn has new processes: one is killed while its step hangs, another one waits for the work. */
const takeover: RowPlan = {
  name: 'takeover',
  label: 'kill -9 to begin elsewhere',
  unit: 's',
  better: 'less',
  how: `one task in hand of a process that is killed, until another one begins it; both have worked for ${leastSettledMs / 1_000} s then, in the next turns for ${settledStepMs / 1_000} s longer each, so that every timer of a quarter, a half or a whole minute is met at another moment; at most ${takeoverLimitMs / 1_000} s, all peers at the same time`,
  setup: { kills: true },
  rounds: kills,
  together: true,
  turn: async (stage, _, round) => {
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
    await pause(settledMs(round))
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
    return { value: seconds, spent: undefined, leftOver: false }
  },
}

export const durableRows: readonly RowPlan[] = [...inFlight, idle, fanOut, manySteps, takeover]

/** Opens the connections again that were closed while others had their turn. */
export async function warmRuns(stage: Stage, width: number): Promise<void> {
  const wide = warmWidth(stage, width)
  const client = await stage.agent('client')
  await client.call('threeSteps', { count: wide, width: wide, limitMs: warmLimitMs })
}

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
