// millrace key list: the API keys, what each may do, until when, and when it was used last.
import { Command } from 'commander'
import type { ApiKeyRow } from '../../db/api-keys.ts'
import { text, wholeNumber } from '../option-values.ts'
import { ago } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { standingOf, withKeys } from './keys.ts'

interface Choices {
  readonly account?: string
  readonly all?: boolean
  readonly most: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description(
      'list the API keys that are taken: what each may do, until when, its last use; never a key itself',
    )
    .option('--account <name>', 'only those of a service account', text('--account'))
    .option('--all', 'also those that are expired, revoked or disabled')
    .option('--most <n>', 'so many, the newest first, up to 1,000', wholeNumber('--most', 1, 1_000), 100)
    .action(async ({ account, all, most }: Choices) => {
      const keys = await withKeys(current, (known) =>
        known.list({ account, live: all !== true, limit: most }),
      )
      const { terminal } = current()
      terminal.answer(keys)
      if (keys.length === 0) terminal.print('There is no key.')
      else printTable(terminal, columns(new Date()), keys)
    })
}

function columns(now: Date): Column<ApiKeyRow>[] {
  return [
    { title: 'key', cell: ({ prefix }) => prefix, whole: true },
    { title: 'name', cell: nameOf },
    { title: 'may', cell: rightsOf },
    { title: 'taken', cell: standingOf },
    { title: 'used', cell: ({ used_at }) => (used_at === null ? 'never' : ago(used_at, now)) },
  ]
}

function nameOf({ name, service_account }: ApiKeyRow): string {
  return service_account === null ? name : `${service_account}/${name}`
}

function rightsOf({ role, scopes, tenant, pipelines }: ApiKeyRow): string {
  const parts = [
    scopes === null ? role : scopes.join(' '),
    ...(tenant === null ? [] : [`tenant ${tenant}`]),
    ...(pipelines === null ? [] : [`only ${pipelines.join(' ')}`]),
  ]
  return parts.join(', ')
}
