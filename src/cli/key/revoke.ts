// millrace key revoke: ends a key, within a second on every server.
import { Command } from 'commander'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { idOfKey, withKeys } from './keys.ts'

export function revokeCommand(current: CurrentSession): Command {
  return new Command('revoke')
    .description('revoke a key: every server refuses it within a second')
    .argument('<key>', 'how the key begins, as in the list, or its id')
    .option('--reason <text>', 'why; it stands beside the key', text('--reason'))
    .action(async (key: string, { reason }: { readonly reason?: string }) => {
      const changed = await withKeys(current, async (keys) => keys.revoke(await idOfKey(keys, key), reason))
      const { terminal } = current()
      terminal.answer({ changed })
      terminal.print(changed ? 'The key is revoked.' : 'The key was revoked already.')
    })
}
