// millrace pipeline resume: lets a paused pipeline go on.
import { Command } from 'commander'
import { resumePipeline } from '../../db/pipelines.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function resumeCommand(current: CurrentSession): Command {
  return new Command('resume')
    .description('resume a paused pipeline')
    .argument('<pipeline>', 'the name of the pipeline')
    .addOption(ifRevisionOption())
    .action(async (slug: string, { ifRevision }: { ifRevision?: number }) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) => resumePipeline(caller, slug, ifRevision))
      session.terminal.answer({ pipeline: slug, changed })
      session.terminal.print(`The pipeline ${slug} ${changed ? 'goes on' : 'was not paused'}.`)
    })
}
