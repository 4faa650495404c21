// millrace audit-trail export: the trail as lines of JSON, which can be checked without the database.
import { Command } from 'commander'
import { exportLines } from '../../sdk/audit-trail.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'

interface Choices {
  readonly after: number
}

const positionMax = 999_999_999

export function exportCommand(current: CurrentSession): Command {
  return new Command('export')
    .description('print the audit trail as lines of JSON, the oldest first: with > FILE into a file')
    .option(
      '--after <position>',
      'only what comes after this position, with which the export before ended',
      wholeNumber('--after', 0, positionMax),
      0,
    )
    .action(async ({ after }: Choices) => exportTrail(current(), after))
}

async function exportTrail(session: Session, after: number): Promise<void> {
  const { stdout } = session.surroundings
  let last: string | undefined
  let entries = 0
  await session.withDatabase(async ({ caller }) => {
    for await (const line of exportLines(caller, after)) {
      // As it was hashed, with --json as well: a line that is read and written anew has another hash.
      if (stdout.write(line) === false && stdout.once !== undefined)
        await new Promise<void>((resolve) => void stdout.once?.('drain', resolve))
      last = line
      entries++
    }
  })
  const { terminal } = session
  if (last === undefined) terminal.note('There is nothing after this position.')
  else terminal.note(`Exported: ${entries}. The last position is ${JSON.parse(last).position}.`)
}
