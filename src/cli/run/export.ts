// millrace run export: all that is known of a run in one file, without credentials, to look at or begin again elsewhere.
import { open } from 'node:fs/promises'
import path from 'node:path'
import { Command } from 'commander'
import { printableJson } from '../../core/printable.ts'
import { count } from '../../core/wording.ts'
import { runAccount } from '../../db/accounts.ts'
import { readRunValues } from '../../db/run-list.ts'
import { text, texts } from '../option-values.ts'
import { readableValues } from '../readable-values.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession, Session } from '../session.ts'
import { bundleOf, type RunBundle } from './bundle.ts'
import { leftOutWords } from './show.ts'

interface Choices {
  readonly output?: string
  readonly mask?: readonly string[]
  readonly withoutValues?: boolean
}

export function exportCommand(current: CurrentSession): Command {
  return new Command('export')
    .description('write all that is known of a run as JSON; what credentials are called is masked')
    .argument('<run>', 'the id of the run')
    .option(
      '--output <file>',
      'into this file, which only you may read; otherwise to stdout',
      text('--output'),
    )
    .option(
      '--mask <path>',
      'also what stands there, as in input.customer.email; several times for several',
      texts('--mask'),
    )
    .option(
      '--without-values',
      'without input, output, headers, keys, and what handlers have said, such as the texts of errors',
    )
    .action(async (run: string, choices: Choices) => {
      const session = current()
      await write(session, await exported(session, runIdOf(run), choices), choices)
    })
}

async function exported(
  session: Session,
  run: string,
  { mask = [], withoutValues = false }: Choices,
): Promise<RunBundle> {
  return session.withDatabase(async ({ caller }) => {
    const account = await runAccount(caller, run)
    const values = (await readRunValues(caller, run)) ?? { input: null, output: null, headers: null }
    const readable = await readableValues(session, caller, run, values)
    return bundleOf(account, readable, { now: new Date(), mask, withoutValues })
  })
}

const ownMode = 0o600

async function write(
  { terminal, surroundings }: Session,
  bundle: RunBundle,
  { output }: Choices,
): Promise<void> {
  const { id } = bundle.account.run
  const masked = count(bundle.masked.length, 'value is', 'values are')
  if (output === undefined) {
    terminal.answer(bundle)
    terminal.printLines(printableJson(bundle, 2))
  } else {
    const file = path.resolve(surroundings.folder, output)
    await writeOwn(file, `${JSON.stringify(bundle, null, 2)}\n`)
    terminal.answer({ run: id, file, masked: bundle.masked })
    terminal.print(`Run ${id} is in ${file}.`)
  }
  if (bundle.output_left_out && !bundle.without_values) terminal.note(`Without its output: ${leftOutWords}.`)
  terminal.note(`${masked} masked. Look through it before you hand it on: only names tell what is secret.`)
}

/** One that is there already, and that others may read, keeps its mode where nobody takes it away. */
async function writeOwn(name: string, text: string): Promise<void> {
  const file = await open(name, 'w', ownMode)
  try {
    // A terminal or a pipe is nobody's to close.
    if ((await file.stat()).isFile()) await file.chmod(ownMode)
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}
