// Owns the decision who may do what: denied unless the operation's access lets the actor through.
import { type Access, type Actor, reaches } from '../api/access.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import type { OwnedKind } from '../core/owned-kind.ts'
import { findOwner, findRunOwners, type Owner } from '../db/owners.ts'

/**
 * Lets through, or throws. What belongs to another tenant, pipeline or run is answered as what does not exist.
 *
 * @param named what the path names, by the subject's kind
 * @throws MillraceError not_allowed, not_found
 */
export async function authorize(
  access: Access,
  actor: Actor,
  named: Readonly<Record<string, unknown>>,
  reads: Caller,
): Promise<void> {
  if (!reaches(actor.role, access.role)) throw notAllowed(`It takes the role ${access.role}.`)
  if (actor.scopes !== null && access.scope !== null && !actor.scopes.includes(access.scope))
    throw notAllowed(`It takes the scope ${access.scope}.`)
  if (!isBound(actor) || access.subject === 'nothing') return
  if (access.subject === 'installation')
    throw notAllowed('It concerns all of the installation, and this key is bound to a part of it.')
  if (access.subject === 'list') {
    if (actor.run !== null) throw notAllowed('This token is for one run.')
    return
  }
  const owner = await findOwner(reads, access.subject, String(named[access.subject]))
  if (owner === undefined || !belongsTo(access, actor, owner))
    throw new MillraceError('not_found', `There is no such ${access.subject}.`)
  if (access.subject === 'pipeline' && actor.tenant !== null && access.scope?.endsWith(':read') !== true)
    throw notAllowed('A pipeline serves all tenants, and this key is bound to one.')
}

/** Whether somebody is let through to a part of the installation alone. */
export function isBound({ tenant, pipelines, run }: Actor): boolean {
  return tenant !== null || pipelines !== null || run !== null
}

/** Those of the runs to which a bound actor is let through. */
export async function ownRuns(
  access: Access,
  actor: Actor,
  runs: readonly string[],
  reads: Caller,
): Promise<ReadonlySet<string | null>> {
  const owners = runs.length === 0 ? [] : await findRunOwners(reads, runs)
  return new Set(owners.filter((owner) => belongsTo(access, actor, owner)).map(({ run }) => run))
}

function belongsTo(access: Access, actor: Actor, owner: Owner): boolean {
  if (actor.pipelines !== null && (owner.pipeline === null || !actor.pipelines.includes(owner.pipeline)))
    return false
  if (actor.run !== null && owner.run !== actor.run) return false
  return (
    actor.tenant === null ||
    access.subject === ('pipeline' satisfies OwnedKind) ||
    owner.tenant === actor.tenant
  )
}

function notAllowed(why: string): MillraceError {
  return new MillraceError('not_allowed', `You may not do this. ${why}`)
}
