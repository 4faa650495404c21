// Owns how a plan is told: each pipeline with what changes, where its live runs stand and what becomes of them, and the queries.
import type { GraphChange } from '../core/graph-changes.ts'
import { fill } from '../core/text-fill.ts'
import { count } from '../core/wording.ts'
import type { StandingRow } from '../db/plans.ts'
import { type Column, printTable } from './table.ts'
import type { Terminal } from './terminal.ts'

export interface PlannedPipeline {
  readonly pipeline: string
  readonly change: 'new' | 'changed' | 'same' | 'gone'
  readonly version: number | null
  readonly active_version: number | null
  readonly changes: readonly GraphChange[]
  /** Where live runs stand that this code doesn't serve. */
  readonly live: readonly StandingRow[]
  readonly touched_runs: number
}

export interface Plan {
  readonly pipelines: readonly PlannedPipeline[]
  readonly queries: ReadonlyArray<{ readonly name: string; readonly fault: string | null }>
  /** Live runs of versions that this code doesn't serve. */
  readonly touched_runs: number
}

export function printPlan(terminal: Terminal, plan: Plan): void {
  for (const pipeline of plan.pipelines) {
    print(terminal, headWords(pipeline), '')
    for (const change of pipeline.changes) print(terminal, changeWords(change), '  ')
    if (pipeline.live.length === 0) continue
    terminal.print()
    printTable(terminal, columns, pipeline.live)
    for (const line of faultLines(pipeline.live)) print(terminal, line, '')
    terminal.print()
  }
  for (const { name, fault } of plan.queries) {
    if (fault !== null) print(terminal, `query '${name}' does not fit: ${fault}`, '')
  }
  const fitting = plan.queries.filter(({ fault }) => fault === null).length
  if (fitting > 0) terminal.print(`${count(fitting, 'query fits', 'queries fit')} the database.`)
  print(terminal, endWords(plan), '')
}

function headWords({ pipeline, change, version, active_version }: PlannedPipeline): string {
  switch (change) {
    case 'new':
      return `${pipeline}: new, as version ${version}`
    case 'changed':
      return `${pipeline}: changed, version ${version} takes the place of version ${active_version}`
    case 'same':
      return version === active_version
        ? `${pipeline}: the same, version ${version}`
        : `${pipeline}: the same as version ${version}; version ${active_version} stays active`
    case 'gone':
      return `${pipeline}: registered, but not in this code`
  }
}

const signs = { added: '+', removed: '-', changed: '~' } as const

function changeWords({ step, change, options }: GraphChange): string {
  const subject = step ?? 'the pipeline'
  return `${signs[change]} ${subject}${options.length === 0 ? '' : `: ${options.join(', ')}`}`
}

const columns: readonly Column<StandingRow>[] = [
  { title: 'live runs', cell: ({ runs }) => String(runs), side: 'right' },
  { title: 'version', cell: ({ version }) => String(version), side: 'right' },
  { title: 'at step', cell: ({ step }) => step },
  { title: 'served now', cell: ({ is_served }) => (is_served ? 'yes' : 'no') },
  { title: 'can be moved', cell: ({ fault }) => (fault === null ? 'yes' : 'no') },
]

/** Below the table, where there is room: why runs can't be moved, each reason once. */
function faultLines(live: readonly StandingRow[]): string[] {
  const faults = live.flatMap(({ version, fault }) =>
    fault === null ? [] : [`version ${version} can't be moved from there: ${fault}`],
  )
  return [...new Set(faults)]
}

function endWords({ touched_runs, queries }: Plan): string {
  if (queries.some(({ fault }) => fault !== null)) return 'Mend the queries before you deploy this code.'
  if (touched_runs === 0) return 'No live run is touched.'
  return (
    `${count(touched_runs, 'live run keeps a version', 'live runs keep versions')} that this code does not serve. ` +
    'Leave a worker of the old code until none is left, move them with npx millrace run migrate, or cancel them.'
  )
}

function print(terminal: Terminal, text: string, margin: string): void {
  for (const line of fill(text, { first: margin, next: `${margin}  ` })) terminal.print(line)
}
