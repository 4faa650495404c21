// millrace cache invalidate: removes cached values, by key, prefix, scope or tenant.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { count } from '../../core/wording.ts'
import { invalidateCache } from '../../db/cache.ts'
import type { CurrentSession } from '../session.ts'
import { type CacheChoices, chosen, withChoices } from './choices.ts'

export function invalidateCommand(current: CurrentSession): Command {
  return withChoices(
    new Command('invalidate').description('remove cached values; what is given must all fit'),
  ).action(async (choices: CacheChoices) => {
    const session = current()
    if (Object.keys(choices).length === 0) {
      throw new MillraceError('command_invalid', 'Nothing says which values are to be removed.', {
        hint: 'Give --scope, --key, --prefix or --tenant.',
      })
    }
    const removed = await session.withDatabase(({ caller }) => invalidateCache(caller, chosen(choices)))
    session.terminal.answer({ removed })
    session.terminal.print(`${count(removed, 'value was', 'values were')} removed from the cache.`)
  })
}
