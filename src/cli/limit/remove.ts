// millrace limit remove: takes a rule away; what waited for it goes on.
import { Command } from 'commander'
import { Limits, unknownLimit } from '../../sdk/limits.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'

export function removeCommand(current: CurrentSession): Command {
  return new Command('remove')
    .description('remove a limit: what waited for it goes on; code that declares it brings it back')
    .argument('<name>', 'the name of the limit')
    .addOption(ifRevisionOption())
    .action(async (name: string, { ifRevision }: { readonly ifRevision?: number }) => {
      const session = current()
      const removed = await session.withDatabase(({ caller }) =>
        new Limits(() => Promise.resolve(caller)).remove(
          name,
          ifRevision === undefined ? {} : { ifRevision },
        ),
      )
      if (!removed) throw unknownLimit(name)
      session.terminal.answer({ name, removed: true })
      session.terminal.print(`Limit ${name} is removed.`)
    })
}
