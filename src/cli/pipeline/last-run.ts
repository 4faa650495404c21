// Owns the columns in which lists of pipelines tell the newest run: how it stands, and when it began.
import type { PipelineRow } from '../../db/pipeline-list.ts'
import { ago, paintState } from '../run-words.ts'
import type { Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export function lastRunColumns(
  terminal: Terminal,
): Column<Pick<PipelineRow, 'last_run_state' | 'last_run_at'>>[] {
  const now = new Date()
  return [
    {
      title: 'last run',
      cell: ({ last_run_state }) => last_run_state ?? 'none',
      whole: true,
      paint: (cell) => paintState(terminal, cell),
    },
    {
      title: 'begun',
      cell: ({ last_run_at }) => (last_run_at === null ? '' : ago(last_run_at, now)),
      whole: true,
      side: 'right',
    },
  ]
}
