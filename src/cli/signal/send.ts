// millrace signal send: a message to a run that waits for it, or to a name.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { checkJson } from '../../core/json.ts'
import { count } from '../../core/wording.ts'
import { sendSignal, type SignalAnswer } from '../../db/signals.ts'
import { jsonValue } from '../json-value.ts'
import { text } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import type { CurrentSession, Session } from '../session.ts'

interface Choices {
  readonly run?: string
  readonly all?: boolean
  readonly idempotencyKey?: string
}

export function sendCommand(current: CurrentSession): Command {
  return new Command('send')
    .description(
      'send a signal to a run, or to the oldest step that waits for its name; kept where nobody waits',
    )
    .argument('<name>', 'the name of the signal')
    .argument('[payload]', 'what it carries, as JSON; - reads it from stdin')
    .option('--run <id>', 'only for this run', text('--run'))
    .option('--all', 'to all that wait for the name now')
    .option(
      '--idempotency-key <key>',
      'sent again under it, it is the same signal',
      text('--idempotency-key'),
    )
    .action(async (name: string, payload: string | undefined, choices: Choices) =>
      send(current(), name, payload, choices),
    )
}

async function send(
  session: Session,
  name: string,
  payload: string | undefined,
  { run, all = false, idempotencyKey }: Choices,
): Promise<void> {
  if (run !== undefined && all) {
    throw new MillraceError(
      'command_invalid',
      'A signal goes to one run, or to all that wait for its name.',
      {
        hint: 'Leave out --run or --all.',
      },
    )
  }
  const carried = await jsonValue(session, 'The payload', payload)
  const signal = {
    name,
    payload: carried === undefined ? null : checkJson(carried, { what: 'The payload' }),
    runId: run === undefined ? null : runIdOf(run),
    idempotencyKey: idempotencyKey ?? null,
    toAll: all,
  }
  const answer = await session.withDatabase(({ caller }) => sendSignal(caller, signal))
  session.terminal.answer({ id: answer.signal_id, woke: answer.woke, kept: answer.kept })
  session.terminal.print(`Signal '${name}' ${sentWords(answer)}.`)
}

function sentWords({ woke, kept }: SignalAnswer): string {
  if (woke > 0) return `reached ${count(woke, 'waiting step', 'waiting steps')}`
  return kept ? 'is kept for the next step that waits for it' : 'reached nobody'
}
