// millrace run import: begins the run of a bundle again, with the code and in the database of here.
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { jsonValue } from '../json-value.ts'
import { text } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession, Session } from '../session.ts'
import { bundleFrom, type RunBundle } from './bundle.ts'
import { start } from './start.ts'

interface Choices {
  readonly input?: string
  readonly wait?: boolean
}

const bytesMax = 50_000_000

export function importCommand(current: CurrentSession): Command {
  return new Command('import')
    .description('start a run with the input of one that was exported, to see it happen again')
    .argument('<file>', 'what run export has written')
    .option('--input <json>', 'another input, where its own was masked', text('--input'))
    .option('--wait', 'wait for the end of the run, and print its output')
    .action(async (file: string, choices: Choices) => {
      const session = current()
      await begin(session, await read(session, file), choices)
    })
}

async function read({ surroundings }: Session, name: string): Promise<RunBundle> {
  const file = path.resolve(surroundings.folder, name)
  const size = await stat(file).then(
    ({ size }) => size,
    () => undefined,
  )
  if (size === undefined) throw new MillraceError('command_invalid', `There is no file ${file}.`)
  if (size > bytesMax)
    throw new MillraceError('command_invalid', `${file} is larger than a run that was exported can be.`)
  return bundleFrom(await readFile(file, 'utf8'), file)
}

async function begin(session: Session, bundle: RunBundle, { input, wait }: Choices): Promise<void> {
  const { pipeline, id } = bundle.account.run
  const masked = bundle.masked.filter((path) => /^(input|headers)\b/.test(path))
  if (masked.length > 0 && input === undefined)
    session.terminal.note(
      `Masked when it was exported: ${masked.slice(0, 10).join(', ')}. It may go another way for that; --input gives another input.`,
    )
  const edited = await jsonValue(session, '--input', input)
  await start(session, pipeline, input === undefined ? bundle.input : edited, {
    header: { ...textsOf(bundle.headers), 'imported-from': runIdOf(id) },
    ...(wait === undefined ? {} : { wait }),
  })
}

/** What began it there is no business of here. */
function textsOf(headers: RunBundle['headers']): Record<string, string> {
  const kept = Object.entries(headers ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && !entry[0].startsWith('millrace-'),
  )
  return Object.fromEntries(kept)
}
