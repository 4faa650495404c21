// Owns who decides: the role of the connection, or whom the command line names.
import type { Command } from 'commander'
import type { Decider } from '../../db/approvals.ts'
import { text, texts } from '../option-values.ts'

export interface ActorChoices {
  readonly as?: string
  readonly role?: readonly string[]
}

export function withActor(command: Command): Command {
  return command
    .option('--as <person>', 'who decides; the database role unless told', text('--as'))
    .option('--role <role>', 'a role of that person; may be repeated', texts('--role'))
}

export function actorOf({ as, role }: ActorChoices): Decider {
  return { actor: as ?? null, actorRoles: role ?? null }
}
