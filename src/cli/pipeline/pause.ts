// millrace pipeline pause: refuses starts of a pipeline and claims of its tasks until it is resumed.
import { Command } from 'commander'
import { pausePipeline } from '../../db/pipelines.ts'
import { text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function pauseCommand(current: CurrentSession): Command {
  return new Command('pause')
    .description('pause a pipeline: starts are refused, and no task of it is claimed')
    .argument('<pipeline>', 'the name of the pipeline')
    .option('--reason <text>', 'why; it is shown with the pipeline', text('--reason'))
    .addOption(ifRevisionOption())
    .action(async (slug: string, { reason, ifRevision }: { reason?: string; ifRevision?: number }) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) =>
        pausePipeline(caller, slug, reason ?? null, ifRevision),
      )
      session.terminal.answer({ pipeline: slug, changed })
      session.terminal.print(`The pipeline ${slug} ${changed ? 'is paused' : 'was paused already'}.`)
    })
}
