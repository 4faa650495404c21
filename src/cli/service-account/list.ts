// millrace service-account list: the programs that have keys of their own.
import { Command } from 'commander'
import { listServiceAccounts, type ServiceAccountRow } from '../../db/service-accounts.ts'
import { text, wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly after?: string
  readonly most: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the service accounts')
    .option('--after <name>', 'the ones behind this, by name: the last of the page before', text('--after'))
    .option('--most <n>', 'so many, up to 1,000', wholeNumber('--most', 1, 1_000), 100)
    .action(async ({ after, most }: Choices) => {
      const session = current()
      const accounts = await session.withDatabase(({ caller }) =>
        listServiceAccounts(caller, { after, limit: most }),
      )
      session.terminal.answer(accounts)
      if (accounts.length === 0) session.terminal.print('There is no service account.')
      else printTable(session.terminal, columns, accounts)
    })
}

const columns: readonly Column<ServiceAccountRow>[] = [
  { title: 'service account', cell: ({ name }) => name },
  { title: 'role', cell: ({ role }) => role },
  { title: 'state', cell: ({ disabled_at }) => (disabled_at === null ? 'enabled' : 'disabled'), whole: true },
  { title: 'for', cell: ({ description }) => description },
]
