// What the project wants of its hot path, and where it stands: said on the page beside what is measured.
import { median } from '../measure.ts'
import { floor as theFloor, type Kept, type KeptRow, us } from './kept.ts'
import { costsOf, processorsAtWork } from './processor-time.ts'
import type { Costs, Result } from './result.ts'
import { ranked, timeText } from './table.ts'

interface PeerGoal {
  readonly text: string
  readonly row: string
  /** Of the best of them, or of the floor. */
  readonly against: readonly string[]
  readonly atLeast: number
}

const floor = [theFloor]
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
    const stand = standOf(kept, goal)
    return stand === undefined ? [] : [lineOf(goal, stand)]
  })
  if (lines.length === 0) return []
  return [
    '## What we want',
    '',
    '| | goal | measured | met | processor time, ours | theirs | processors at work |',
    '|---|---:|---:|---|---:|---:|---:|',
    ...lines,
    '',
    'Processor time is that of a run or a task, client + server, and theirs is of whom the goal measures against. Where fewer processors are at work than the machine has, it is waiting that bounds, for the disk and for the call before. The floor has no versions, fences, checks, attempts or handlers.',
    '',
  ]
}

interface Stand {
  readonly row: KeptRow
  readonly ours: Result
  /** The best of those that the goal measures against. */
  readonly best: Result
}

function standOf(kept: Kept, { row: name, against }: PeerGoal): Stand | undefined {
  const row = kept.rows[name]
  if (row === undefined) return undefined
  const measured = row.results.filter(({ profile, values }) => profile === 'best' && values.length > 0)
  const ours = measured.find(({ peer }) => peer === us)
  const [best] = ranked(
    row,
    measured.filter(({ peer }) => against.includes(peer)),
  )
  return ours === undefined || best === undefined ? undefined : { row, ours, best }
}

function lineOf({ text, atLeast }: PeerGoal, { row, ours, best }: Stand): string {
  const ratio = median(ours.values) / median(best.values)
  const costs = costsOf(row, ours)
  const processors = costs === undefined ? undefined : processorsAtWork(row, ours, costs)
  const cells = [
    text,
    `≥ ${atLeast}`,
    ratio.toFixed(2),
    ratio >= atLeast ? 'yes' : 'no',
    timesText(costs),
    timesText(costsOf(row, best)),
    processors?.toFixed(1) ?? '–',
  ]
  return `| ${cells.join(' | ')} |`
}

function timesText(costs: Costs | undefined): string {
  return costs === undefined ? '–' : `${timeText(costs.clientCpuMs)} + ${timeText(costs.serverCpuMs)}`
}
