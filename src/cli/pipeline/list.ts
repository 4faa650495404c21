// millrace pipeline list: what is registered, and how its last run went.
import { Command } from 'commander'
import { listPipelines, type PipelineRow } from '../../db/pipeline-list.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { lastRunColumns } from './last-run.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list').description('list the pipelines, each with its newest run').action(async () => {
    const session = current()
    const rows = await session.withDatabase(({ caller }) => listPipelines(caller))
    session.terminal.answer(rows)
    if (rows.length > 0) printTable(session.terminal, columns(session.terminal), rows)
    else session.terminal.print('No pipeline is registered yet: a worker registers what it serves.')
  })
}

function columns(terminal: Terminal): Column<PipelineRow>[] {
  return [
    { title: 'pipeline', cell: ({ slug }) => slug },
    { title: 'version', cell: ({ active_version }) => String(active_version ?? ''), side: 'right' },
    { title: 'starts', cell: ({ paused_at }) => (paused_at === null ? 'taken' : 'paused'), whole: true },
    { title: 'live runs', cell: ({ live_runs }) => String(live_runs), side: 'right' },
    ...lastRunColumns(terminal),
  ]
}
