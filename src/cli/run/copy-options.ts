// Owns what redrive, fork and rerun of one run have in common: the edited input, held against the schema of its pipeline, and the version.
import type { Command } from 'commander'
import { runAccount } from '../../db/accounts.ts'
import type { Caller } from '../../db/call.ts'
import type { CopyAnswer, InputEdit } from '../../sdk/redrives.ts'
import { jsonValue } from '../json-value.ts'
import { text } from '../option-values.ts'
import type { Session } from '../session.ts'

export interface CopyChoices {
  readonly input?: string
  readonly latest?: boolean
  readonly reason?: string
}

export function withCopyOptions(command: Command): Command {
  return command
    .option('--input <json>', 'another input than the one that it had', text('--input'))
    .option('--latest', 'with the active version of its pipeline')
    .option('--reason <text>', 'why; it stands in the account', text('--reason'))
}

/** The edited input with the pipeline whose schema it is held against, where the configuration has it. */
export async function editOf(
  session: Session,
  caller: Caller,
  runId: string,
  { input, latest, reason }: CopyChoices,
): Promise<InputEdit & { version: 'original' | 'latest'; reason?: string }> {
  const rest = { version: latest ? 'latest' : 'original', ...(reason !== undefined && { reason }) } as const
  if (input === undefined) return rest
  const edited = await jsonValue(session, '--input', input)
  // A server holds it against the schema of its own code, which may be another one than here.
  if (session.remote !== undefined) return { ...rest, input: edited }
  const slug = (await runAccount(caller, runId)).run.pipeline
  const config = (await session.findConfig())?.config
  return { ...rest, input: edited, pipeline: config?.pipelines.find((known) => known.slug === slug) ?? slug }
}

const statusOfRefusal = 4

export function tellCopy(session: Session, of: string, answer: CopyAnswer, verb: string): void {
  session.terminal.answer({ of, ...answer, run: answer.run?.id ?? null })
  if (answer.run !== null) {
    session.terminal.print(`Run ${of} ${verb} run ${answer.run.id}.`)
    session.terminal.print(`See it with: npx millrace run account ${answer.run.id}`)
    return
  }
  session.terminal.print(`No new run (${answer.reason}): ${answer.detail}`)
  session.exitStatus = statusOfRefusal
}
