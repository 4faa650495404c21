// millrace pipeline activate: chooses the version that starts get which name none.
import { Command } from 'commander'
import { activatePipeline } from '../../db/pipelines.ts'
import { wholeNumber } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function activateCommand(current: CurrentSession): Command {
  return new Command('activate')
    .description('choose the version for starts that name none, such as those from SQL')
    .argument('<pipeline>', 'the name of the pipeline')
    .argument('<version>', 'the number of the version', wholeNumber('The version', 1, 999_999_999))
    .addOption(ifRevisionOption())
    .action(async (slug: string, version: number, { ifRevision }: { ifRevision?: number }) => {
      const session = current()
      await session.withDatabase(({ caller }) => activatePipeline(caller, slug, version, ifRevision))
      session.terminal.answer({ pipeline: slug, active_version: version })
      session.terminal.print(`Version ${version} of ${slug} is active.`)
    })
}
