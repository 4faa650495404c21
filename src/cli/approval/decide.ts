// millrace approval approve, reject: a person's decision.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { checkJson } from '../../core/json.ts'
import { isUuid } from '../../core/uuid.ts'
import { decideApproval, type DecisionAnswer } from '../../db/approvals.ts'
import { jsonValue } from '../json-value.ts'
import { text } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { type ActorChoices, actorOf, withActor } from './actor.ts'

interface Choices extends ActorChoices {
  readonly value?: string
  readonly comment?: string
}

export function approveCommand(current: CurrentSession): Command {
  return withActor(
    new Command('approve')
      .description('approve what a run asks for')
      .argument('<approval>', 'the id of the approval')
      .option('--value <json>', 'what its form asks for', text('--value'))
      .option('--comment <text>', 'why; the run gets it', text('--comment')),
  ).action(async (id: string, choices: Choices) => decide(current(), id, 'approve', choices))
}

export function rejectCommand(current: CurrentSession): Command {
  return withActor(
    new Command('reject')
      .description('reject what a run asks for')
      .argument('<approval>', 'the id of the approval')
      .option('--comment <text>', 'why; the run gets it', text('--comment')),
  ).action(async (id: string, choices: Choices) => decide(current(), id, 'reject', choices))
}

async function decide(
  session: Session,
  id: string,
  decision: 'approve' | 'reject',
  { value, comment, ...by }: Choices,
): Promise<void> {
  const given = await jsonValue(session, '--value', value)
  const row = {
    decision,
    value: given === undefined ? null : checkJson(given, { what: 'The value' }),
    comment: comment ?? null,
  }
  const answer = await session.withDatabase(({ caller }) =>
    decideApproval(caller, approvalIdOf(id), row, actorOf(by)),
  )
  session.terminal.answer(answer)
  session.terminal.print(`Approval ${id} ${standingWords(answer)}.`)
}

function standingWords({ state, approvals, quorum }: DecisionAnswer): string {
  return state === 'open' ? `has ${approvals} of ${quorum} and stays open` : `is ${state}`
}

/** @throws MillraceError command_invalid */
export function approvalIdOf(given: string): string {
  const id = given.trim().toLowerCase()
  if (isUuid(id)) return id
  throw new MillraceError('command_invalid', `'${given.slice(0, 60)}' is no id of an approval.`, {
    hint: 'List them with: npx millrace approval list',
  })
}
