// millrace start-rule remove: takes a rule on starts away.
import { Command } from 'commander'
import { removeStartRule } from '../../db/start-rules.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function removeCommand(current: CurrentSession): Command {
  return new Command('remove')
    .description('remove a rule on starts; what code brings comes back with its next registration')
    .argument('<pipeline>', 'the name of the pipeline')
    .argument('<name>', 'the name of the rule')
    .addOption(ifRevisionOption())
    .action(async (pipeline: string, name: string, { ifRevision }: { ifRevision?: number }) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) =>
        removeStartRule(caller, pipeline, name, ifRevision),
      )
      session.terminal.answer({ pipeline, name, changed })
      session.terminal.print(
        changed
          ? `Rule ${name} on starts of ${pipeline} is removed.`
          : `There was no such rule of ${pipeline}.`,
      )
      if (!changed) session.exitStatus = statusOfNone
    })
}

const statusOfNone = 4
