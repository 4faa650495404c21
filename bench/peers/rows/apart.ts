// The row about runs whose client and worker are two processes: neither start nor end is heard of without the store.
import type { RowPlan } from '../row.ts'
import { warmRuns } from './durable.ts'

const inFlight = 50
/** As many as in the rows of one process. */
const runs = 20_000

const threeStepsApart: RowPlan = {
  name: 'three-steps-apart',
  label: 'three-step runs, client and worker apart',
  unit: 'runs/s',
  better: 'more',
  how: `one process starts runs and awaits each result, ${inFlight} at once, another one works; ${runs.toLocaleString('en-US')} of them, or what 10 s allow`,
  turn: async (stage, size) => {
    const client = await stage.agent('client')
    const worker = await stage.agent('worker 0')
    await worker.call('startDurable', { inFlight, role: 'worker' })
    await client.call('startDurable', { inFlight, role: 'client' })
    const limitMs = Math.min(10_000, size.limitMs)
    await warmRuns(stage, inFlight)
    const { given, cost } = await stage.metered(() =>
      client.call('threeSteps', { count: size.of(runs), width: inFlight, limitMs }),
    )
    const { done, ms } = given
    await client.call('stopDurable')
    await worker.call('stopDurable')
    return { value: (done / ms) * 1_000, spent: { ...cost, units: done }, leftOver: false }
  },
}

export const apartRows: readonly RowPlan[] = [threeStepsApart]
