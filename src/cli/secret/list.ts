// millrace secret list: the secrets, without their values.
import { Command } from 'commander'
import { durationWords } from '../../core/wording.ts'
import type { SecretInfo } from '../../sdk/secrets.ts'
import { age, ago } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { withSecrets } from './secrets.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the secrets: where they lie, how old they are, who read them last; never a value')
    .action(async () => {
      const session = current()
      const secrets = await withSecrets(session, (all) => all.list())
      session.terminal.answer(secrets)
      if (secrets.length === 0) session.terminal.print('There is no secret.')
      else printTable(session.terminal, columns(new Date()), secrets)
    })
}

function columns(now: Date): Column<SecretInfo>[] {
  return [
    { title: 'secret', cell: ({ name }) => name },
    {
      title: 'lies in',
      cell: ({ source, reference }) => (reference === null ? source : `${source} ${reference}`),
    },
    { title: 'version', cell: ({ version }) => String(version), side: 'right' },
    { title: 'age', cell: (secret) => ageWords(secret, now) },
    {
      title: 'read',
      cell: ({ lastRead }) => (lastRead === null ? 'never' : `${ago(lastRead.at, now)} by ${lastRead.step}`),
    },
  ]
}

function ageWords({ changedAt, maxAgeSeconds, overdue }: SecretInfo, now: Date): string {
  const words = age(changedAt, now)
  if (maxAgeSeconds === null) return words
  return `${words} of ${durationWords(maxAgeSeconds * 1_000)}${overdue ? ': too old' : ''}`
}
