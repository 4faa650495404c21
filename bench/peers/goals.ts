// What the project wants of its hot path, and where it stands: said on the page beside what is measured.
import { median } from '../measure.ts'
import type { Kept } from './kept.ts'
import type { Costs } from './result.ts'

interface PeerGoal {
  readonly text: string
  readonly row: string
  /** Of the best of them, or of the floor. */
  readonly against: readonly string[]
  readonly atLeast: number
}

const floor = ['Floor']
const durable = ['DBOS Transact', 'OpenWorkflow', 'absurd', 'Restate']
const queues = ['pg-boss', 'Graphile Worker', 'BullMQ on Postgres']

const goals: readonly PeerGoal[] = [
  {
    text: 'three-step runs, 50 in flight, by the best durable peer',
    row: 'three-steps-50',
    against: durable,
    atLeast: 15,
  },
  {
    text: 'three-step runs, 500 in flight, by the best durable peer',
    row: 'three-steps-500',
    against: durable,
    atLeast: 15,
  },
  {
    text: 'three-step runs, 50 in flight, by the floor',
    row: 'three-steps-50',
    against: floor,
    atLeast: 0.45,
  },
  {
    text: 'three-step runs, 500 in flight, by the floor',
    row: 'three-steps-500',
    against: floor,
    atLeast: 0.3,
  },
  { text: 'drain, by the fastest queue on Postgres', row: 'drain', against: queues, atLeast: 1 },
  {
    text: 'enqueue in bulk, by the fastest queue on Postgres',
    row: 'enqueue-bulk',
    against: queues,
    atLeast: 1,
  },
]

/** A table of what is wanted and what was measured; nothing where none of it was. */
export function goalLines(kept: Kept): string[] {
  const lines = goals.flatMap((goal) => {
    const stands = standOf(kept, goal)
    if (stands === undefined) return []
    return [
      `| ${goal.text} | ≥ ${goal.atLeast} | ${stands.toFixed(2)} | ${stands >= goal.atLeast ? 'yes' : 'no'} |`,
    ]
  })
  if (lines.length === 0) return []
  return [
    '## What we want',
    '',
    '| | goal | measured | met |',
    '|---|---:|---:|---|',
    ...lines,
    '',
    ...boundText(kept),
  ]
}

/** What bounds a run, by its cost and that of the floor. */
function boundText(kept: Kept): string[] {
  const measuredOf = (name: string) =>
    kept.rows['three-steps-50']?.results.find(({ peer, profile }) => peer === name && profile === 'best')
  const [ours, least] = [measuredOf('Millrace'), measuredOf('Floor')]
  if (ours?.costs === undefined || least?.costs === undefined) return []
  const both = ({ clientCpuMs, serverCpuMs }: Costs) =>
    `${Math.round(1_000 * clientCpuMs)} + ${Math.round(1_000 * serverCpuMs)} µs`
  const busy = (median(ours.values) / 1_000) * (ours.costs.clientCpuMs + ours.costs.serverCpuMs)
  return [
    `At 50 in flight it is the way that bounds: all of them go in step through four calls, each of which waits for the client, the server and the disk in turn. A three-step run takes ${both(ours.costs)} of processor time (client + server), the floor ${both(least.costs)}, and ${busy.toFixed(1)} processors are at work. Two calls at a time with half of the runs each took 40 % more of it and were no faster, since half of a call's cost is the call's own. Elsewhere what is not met is bounded by processor time, which client and server share here. The floor has no versions, fences, checks, attempts or handlers.`,
    '',
  ]
}

function standOf(kept: Kept, { row, against }: PeerGoal): number | undefined {
  const measured = (kept.rows[row]?.results ?? [])
    .filter(({ profile, values }) => profile === 'best' && values.length > 0)
    .map(({ peer, values }) => ({ peer, value: median(values) }))
  const ours = measured.find(({ peer }) => peer === 'Millrace')
  const others = measured.filter(({ peer }) => against.includes(peer))
  if (ours === undefined || others.length === 0) return undefined
  return ours.value / Math.max(...others.map(({ value }) => value))
}
