// millrace pipeline resume-key: takes starts of a run key again that was paused after failures in a row.
import { Command } from 'commander'
import { resumeKey } from '../../db/failure-streaks.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'

export function resumeKeyCommand(current: CurrentSession): Command {
  return new Command('resume-key')
    .description('take starts of a run key again that was paused after failures in a row')
    .argument('<pipeline>', 'the name of the pipeline')
    .argument('<key>', 'the run key, as millrace pipeline show lists it')
    .option('--tenant <tenant>', 'whose key it is', text('--tenant'))
    .action(async (slug: string, key: string, { tenant }: { tenant?: string }) => {
      const session = current()
      const changed = await session.withDatabase(({ caller }) => resumeKey(caller, slug, key, tenant ?? null))
      session.terminal.answer({ pipeline: slug, key, tenant: tenant ?? null, changed })
      session.terminal.print(`The key ${key} of ${slug} ${changed ? 'goes on' : 'was not paused'}.`)
    })
}
