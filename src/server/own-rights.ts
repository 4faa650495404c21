// Owns the rule that nobody gives more than they have: neither to a key nor to somebody who signs in.
import { type Actor, reaches, type Scope, scopesOf } from '../api/access.ts'
import type { Role } from '../core/role.ts'
import { MillraceError } from '../core/errors.ts'

/** What is given: by a key, or by a role alone. */
export interface Given {
  readonly role: Role
  /** null: all that the role has. */
  readonly scopes: readonly Scope[] | null
  readonly payloads: boolean
  readonly agent?: Actor['agent']
}

/** @throws MillraceError not_allowed */
export function refuseMore(actor: Actor, given: Given): void {
  const missing = missingOf(actor, given)
  if (missing === undefined) return
  throw new MillraceError(
    'not_allowed',
    `You may not do this. Nobody gives more than they have, and you do not have ${missing}.`,
  )
}

function missingOf(actor: Actor, { role, scopes, payloads, agent }: Given): string | undefined {
  if (!reaches(actor.role, role)) return `the role ${role}`
  const own = actor.scopes ?? scopesOf(actor.role)
  const scope = (scopes ?? scopesOf(role)).find((one) => one !== 'payloads:read' && !own.includes(one))
  if (scope !== undefined) return `the scope ${scope}`
  if (payloads && !actor.payloads) return 'the right to see payloads'
  // What acts for an agent makes nothing that does not.
  return actor.agent !== undefined && agent !== actor.agent && agent !== 'asks'
    ? 'the right to act without an agent'
    : undefined
}
