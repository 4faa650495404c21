// millrace run start: starts a run of a pipeline, and waits for its end if asked to.
import { Command } from 'commander'
import { printableJson } from '../../core/printable.ts'
import { runAccount } from '../../db/accounts.ts'
import type { Caller } from '../../db/call.ts'
import { connect } from '../../sdk/client.ts'
import type { StartOptions } from '../../sdk/start.ts'
import { jsonValue } from '../json-value.ts'
import { pair, text, timeFrom, wholeNumber } from '../option-values.ts'
import { remoteResult } from '../remote/run-end.ts'
import { showProgress } from '../run-progress.ts'
import type { CurrentSession, OpenDatabase, Session } from '../session.ts'
import { type StartAnswer, startRun } from '../start-run.ts'
import type { Terminal } from '../terminal.ts'

interface Choices {
  readonly idempotencyKey?: string
  readonly priority?: number
  readonly at?: Date
  readonly tenant?: string
  readonly header?: Record<string, string>
  readonly wait?: boolean
}

export function startCommand(current: CurrentSession): Command {
  return new Command('start')
    .description('start a run; where its run key is live already, that run is named instead')
    .argument('<pipeline>', 'the name of the pipeline')
    .argument('[input]', "the input as JSON, - to read it from stdin; without it the schema's defaults")
    .option('--idempotency-key <key>', 'the same key within a day is the same run', text('--idempotency-key'))
    .option('--priority <n>', 'from 1, first, to 9, last', wholeNumber('--priority', 1, 9))
    .option('--at <time>', 'not before this time: 2030-01-31T08:00Z, or 10m from now', timeFrom)
    .option('--tenant <tenant>', 'whose run it is', text('--tenant'))
    .option('--header <name=value>', 'carried along with the run; may be given again', pair)
    .option('--wait', 'wait for the end of the run, and print its output')
    .action(async (pipeline: string, input: string | undefined, choices: Choices) => {
      const session = current()
      await start(session, pipeline, await jsonValue(session, 'The input', input), choices)
    })
}

/** Starts a run, and says how it is found. @throws MillraceError run_failed, run_cancelled, and those of a start */
export async function start(
  session: Session,
  pipeline: string,
  input: unknown,
  choices: Choices,
): Promise<void> {
  // A server has versions, schemas and keys of its own.
  const isRemote = session.remote !== undefined
  const config = isRemote ? undefined : (await session.findConfig())?.config
  const definition = config?.pipelines.find(({ slug }) => slug === pipeline)
  await session.withDatabase(async (database) => {
    const cipher = isRemote ? undefined : await session.findCipher()
    const answer = await startRun(database.caller, definition ?? pipeline, input, optionsOf(choices), cipher)
    session.terminal.print(startedWords(pipeline, answer))
    await noteUnserved(session.terminal, database.caller, answer)
    if (choices.wait) return await printResult(session, database, answer).catch(telling(session, answer))
    session.terminal.answer(answer)
    session.terminal.print(`See it with: npx millrace run account ${answer.run_id}`)
  })
}

function optionsOf({ idempotencyKey, priority, at, tenant, header }: Choices): StartOptions {
  return {
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(priority !== undefined && { priority }),
    ...(at !== undefined && { availableAt: at }),
    ...(tenant !== undefined && { tenant }),
    ...(header !== undefined && { headers: header }),
  }
}

function startedWords(pipeline: string, { created, reason, rule, run_id }: StartAnswer): string {
  if (created) return `Started run ${run_id} of ${pipeline}.`
  if (reason === 'coalesced')
    // A server of before names no rule.
    return `No new run of ${pipeline}: by ${rule === null ? 'a rule' : `rule '${rule}'`} on starts its input is that of run ${run_id}, which waits.`
  const live =
    rule === null ? 'its run key is live' : `rule '${rule}' on starts lets one of its key be in progress`
  const why = reason === 'live' ? live : 'its idempotency key was used'
  return `No new run of ${pipeline}, since ${why}: it is run ${run_id}.`
}

/** Who starts a run by hand, and no worker, would wonder why nothing happens. */
async function noteUnserved(terminal: Terminal, caller: Caller, { run_id }: StartAnswer): Promise<void> {
  if (terminal.json) return
  // A key may start runs and not read them, and whoever is told that this failed starts another one.
  const account = await runAccount(caller, run_id).catch(() => undefined)
  if (account?.tasks.listed.some(({ state, is_served }) => state === 'ready' && !is_served))
    terminal.note('No live worker serves it at present; start one with: npx millrace worker')
}

/** Whatever waiting for it came to, the run is there: a program is told which one. */
function telling({ terminal }: Session, answer: StartAnswer): (error: unknown) => never {
  return (error) => {
    terminal.answer(answer)
    throw error
  }
}

/** @throws MillraceError run_failed, run_cancelled */
async function printResult(session: Session, database: OpenDatabase, answer: StartAnswer): Promise<void> {
  const { terminal, remote } = session
  if (remote !== undefined) {
    const output = await remoteResult(remote, answer.run_id)
    terminal.answer({ ...answer, state: 'completed', output })
    terminal.print(`Completed: ${printableJson(output)}`)
    return
  }
  const { url, directUrl } = database
  const client = connect({
    database: url,
    encryptionKeys: (await session.findConfig())?.config.encryptionKeys,
    ...(directUrl !== undefined && { directDatabase: directUrl }),
  })
  const hideProgress = showProgress(terminal, database.caller, answer.run_id)
  try {
    const output = await client.run(answer.run_id).result()
    await hideProgress()
    terminal.answer({ ...answer, state: 'completed', output })
    terminal.print(`Completed: ${printableJson(output)}`)
  } finally {
    await hideProgress()
    await client.close()
  }
}
