// millrace encryption rotate: encrypts anew, with the first key of the ring, what ended runs and secrets hold under another one.
import { Command } from 'commander'
import { count, grouped } from '../../core/wording.ts'
import { reencrypt, type ReencryptedPayloads } from '../../sdk/key-rotation.ts'
import { wholeNumber } from '../option-values.ts'
import { remoteReencrypt } from '../remote/reencrypt.ts'
import type { CurrentSession, Session } from '../session.ts'
import { type Column, printTable } from '../table.ts'

/** Something could not be opened, so that an old key is still needed. */
const statusOfLeftValues = 1

export function rotateCommand(current: CurrentSession): Command {
  return new Command('rotate')
    .description(
      'encrypt anew, with the first key of the ring, what ended runs and secrets hold under an older one',
    )
    .option('--batch <n>', 'how many runs at a time', wholeNumber('--batch', 1, 1_000), 100)
    .action(async ({ batch }: { batch: number }) => {
      const session = current()
      const result = await reencrypted(session, batch)
      const { key, values, secrets, left } = result
      session.terminal.answer(result)
      session.terminal.print(
        `${grouped(values)} values and ${count(secrets, 'version of a secret', 'versions of secrets')} were encrypted anew with key '${key}'.`,
      )
      session.terminal.note(
        'Runs that are live keep what they hold until they have ended: keep the older keys in the ring until then, and call it again.',
      )
      if (left.length === 0) return
      printTable(session.terminal, columns, left)
      session.exitStatus = statusOfLeftValues
    })
}

async function reencrypted(session: Session, runsPerBatch: number): Promise<ReencryptedPayloads> {
  if (session.remote !== undefined) return remoteReencrypt(session.remote, runsPerBatch)
  const cipher = await session.findCipher()
  return session.withDatabase(({ caller }) => reencrypt(caller, cipher, { runsPerBatch }))
}

const columns: readonly Column<{ readonly run: string; readonly place: string; readonly reason: string }>[] =
  [
    { title: 'run', cell: ({ run }) => run, whole: true },
    { title: 'stays, because', cell: ({ place, reason }) => `${place}: ${reason}` },
  ]
