// Owns what whoever is bound to a tenant or to pipelines may define: only within these, and only what is theirs or nobody's yet.
import { MillraceError } from '../core/errors.ts'
import type { OwnedKind } from '../core/owned-kind.ts'
import { findOwner, type Owner } from '../db/owners.ts'
import type { ServerRoom } from './room.ts'
import type { Within } from './route.ts'
import { checkPipeline, tenantWithin } from './within.ts'

export interface Definition {
  readonly kind: OwnedKind
  readonly name: string
  readonly pipeline: string
  readonly tenant: string | undefined
  readonly ifRevision: number | undefined
  /** The revision of what stands under the name; 0 where there is none. */
  readonly standing: () => Promise<number>
}

/**
 * The tenant of what is defined, and the revision at which it may be: so that nothing of others is changed which came under the name in between.
 *
 * @throws MillraceError pipeline_unknown, not_allowed, not_found, revision_conflict
 */
export async function withinBounds(
  room: ServerRoom,
  within: Within,
  { kind, name, pipeline, tenant, ifRevision, standing }: Definition,
): Promise<{ readonly tenant: string | undefined; readonly ifRevision: number | undefined }> {
  if (!isBoundTo(within)) return { tenant, ifRevision }
  checkPipeline(within, pipeline)
  const ownTenant = tenantWithin(within, tenant)
  const revision = await standing()
  const owner = await findOwner(room.reads, kind, name)
  if (owner !== undefined && !isTheirs(within, owner))
    throw new MillraceError('not_found', `There is no such ${kind}.`)
  // What was seen together with its owner counts: under the revision that is told there may be something of others by now.
  if (ifRevision !== undefined && ifRevision !== revision)
    throw new MillraceError(
      'revision_conflict',
      `The ${kind} '${name}' was changed since: you saw its revision ${ifRevision}, and it is at ${revision}.`,
      {
        fields: { [kind]: name, seen: ifRevision, revision },
        hint: 'Look at it again, and decide anew.',
      },
    )
  return { tenant: ownTenant, ifRevision: revision }
}

/** What stands under a name now, for whoever was refused as stale; null where that is nothing of theirs. */
export async function presentWithin<Row>(
  room: ServerRoom,
  within: Within,
  { kind, name }: Pick<Definition, 'kind' | 'name'>,
  found: () => Promise<Row | undefined>,
): Promise<Row | null> {
  const row = await found()
  if (row === undefined || !isBoundTo(within)) return row ?? null
  const owner = await findOwner(room.reads, kind, name)
  return owner !== undefined && isTheirs(within, owner) ? row : null
}

function isBoundTo({ tenant, pipelines }: Within): boolean {
  return tenant !== null || pipelines !== null
}

function isTheirs({ tenant, pipelines }: Within, owner: Owner): boolean {
  return (
    (pipelines === null || pipelines.includes(owner.pipeline ?? '')) &&
    (tenant === null || owner.tenant === tenant)
  )
}

/** What concerns all tenants, or more than some pipelines. @throws MillraceError not_allowed */
export function refuseBound(within: Within, bound: 'tenant' | 'pipelines', why: string): void {
  if (within[bound] !== null) throw new MillraceError('not_allowed', `You may not do this. ${why}`)
}
