// millrace pipeline show: the steps of a pipeline as a tree, and its versions.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { drawGraph } from '../../core/graph-drawing.ts'
import { fill } from '../../core/text-fill.ts'
import { cut } from '../../core/text-width.ts'
import { dateWords, durationWords, grouped, oneLine } from '../../core/wording.ts'
import {
  listPipelines,
  listVersions,
  type OutcomeRow,
  pipelineOutcomes,
  type PipelineRow,
  type VersionRow,
} from '../../db/pipeline-list.ts'
import { type PausedKey, pausedKeys } from '../../sdk/paused-keys.ts'
import { columnNames } from '../column-names.ts'
import { ago } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show the steps of a pipeline and its versions')
    .argument('<pipeline>', 'the name of the pipeline')
    .action(async (slug: string) => {
      const session = current()
      const { pipeline, versions, outcomes, keys } = await session.withDatabase(async ({ caller }) => {
        const [pipeline] = await listPipelines(caller, slug)
        if (pipeline === undefined) throw unknownPipeline(slug)
        const versions = await listVersions(caller, slug)
        const keys = await pausedKeys(caller, slug)
        return { pipeline, versions, outcomes: await pipelineOutcomes(caller, slug), keys }
      })
      session.terminal.answer({ ...pipeline, versions, outcomes, paused_keys: keys.map(columnNames) })
      printPipeline(session.terminal, pipeline, versions)
      printPausedKeys(session.terminal, keys)
      if (pipeline.split_path !== null) printOutcomes(session.terminal, pipeline, outcomes)
    })
}

function unknownPipeline(slug: string): MillraceError {
  return new MillraceError('pipeline_unknown', `There is no pipeline '${slug.slice(0, 100)}'.`, {
    fields: { pipeline: slug },
    hint: 'List the pipelines with: npx millrace pipeline list',
  })
}

function printPipeline(terminal: Terminal, pipeline: PipelineRow, versions: readonly VersionRow[]): void {
  const active = versions.find(({ version }) => version === pipeline.active_version) ?? versions[0]
  const paths = active?.graph.key?.map((path) => path.join('.')) ?? []
  terminal.print(`${terminal.colours.bold(pipeline.slug)}, version ${active?.version ?? 'none'}`)
  if (pipeline.revision > 0) terminal.print(`Revision ${pipeline.revision}.`)
  if (paths.length > 0) terminal.print(`One live run for each ${paths.join(' and ')}.`)
  if (pipeline.retention_days !== null)
    terminal.print(`Its history is kept for ${pipeline.retention_days} days.`)
  if (pipeline.paused_at !== null) {
    const reason = pipeline.pause_reason === null ? '' : `: ${oneLine(pipeline.pause_reason)}`
    terminal.print(`Paused by ${pipeline.paused_by} on ${dateWords(pipeline.paused_at)} UTC${reason}.`)
  }
  terminal.print()
  for (const line of active === undefined ? [] : drawGraph(active.graph))
    terminal.print(cut(`  ${line}`, terminal.columns))
  terminal.print()
  printTable(terminal, versionColumns(pipeline), versions)
}

function printPausedKeys(terminal: Terminal, keys: readonly PausedKey[]): void {
  if (keys.length === 0) return
  terminal.print()
  for (const line of fill('Starts of these keys are refused: their runs failed in a row.'))
    terminal.print(line)
  terminal.print()
  printTable(terminal, keyColumns(new Date(), keys), keys)
  terminal.print()
  terminal.print(`Take them again with: npx millrace pipeline resume-key ${keys[0]!.pipeline} KEY`)
}

function keyColumns(now: Date, keys: readonly PausedKey[]): Column<PausedKey>[] {
  const tenant: Column<PausedKey> = { title: 'tenant', cell: (row) => oneLine(row.tenant ?? '') }
  return [
    { title: 'key', cell: ({ key }) => oneLine(key) },
    ...(keys.some((row) => row.tenant !== null) ? [tenant] : []),
    { title: 'failures', cell: ({ failures }) => grouped(failures), side: 'right' },
    { title: 'paused', cell: ({ pausedAt }) => ago(pausedAt, now), whole: true },
    { title: 'last run', cell: ({ lastRun }) => lastRun, whole: true },
  ]
}

function versionColumns({ active_version }: PipelineRow): Column<VersionRow>[] {
  return [
    { title: 'version', cell: ({ version }) => `${version}${version === active_version ? ' (active)' : ''}` },
    { title: 'steps', cell: ({ graph }) => String(graph.steps.length), side: 'right' },
    { title: 'registered', cell: ({ registered_at }) => `${dateWords(registered_at).slice(0, -4)} UTC` },
    { title: 'by', cell: ({ registered_by }) => registered_by },
    { title: 'digest', cell: ({ digest }) => digest.slice(0, 12) },
  ]
}

function printOutcomes(
  terminal: Terminal,
  { split_path, split_at }: PipelineRow,
  outcomes: readonly OutcomeRow[],
): void {
  const by = split_path?.length ? split_path.join('.') : 'run'
  terminal.print()
  const since = split_at === null ? '' : `, since ${dateWords(split_at)} UTC`
  for (const line of fill(`Starts that name no version are split by ${by}${since}:`)) terminal.print(line)
  terminal.print()
  printTable(terminal, outcomeColumns, outcomes)
}

const outcomeColumns: readonly Column<OutcomeRow>[] = [
  { title: 'version', cell: ({ version }) => String(version), side: 'right' },
  { title: 'weight', cell: ({ weight }) => String(weight ?? ''), side: 'right' },
  { title: 'share', cell: ({ share }) => `${(share * 100).toFixed(1)} %`, side: 'right' },
  { title: 'runs', cell: ({ runs }) => grouped(runs), side: 'right' },
  { title: 'live', cell: ({ live }) => grouped(live), side: 'right' },
  { title: 'completed', cell: ({ completed }) => grouped(completed), side: 'right' },
  { title: 'failed', cell: ({ failed }) => grouped(failed), side: 'right' },
  { title: 'cancelled', cell: ({ cancelled }) => grouped(cancelled), side: 'right' },
  {
    title: 'median',
    cell: ({ median_ms }) => (median_ms === null ? '' : durationWords(median_ms)),
    side: 'right',
  },
]
