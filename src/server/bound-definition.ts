// Owns what whoever is bound to a tenant or to pipelines may define: only within these, and only what is theirs or nobody's yet.
import { MillraceError } from '../core/errors.ts'
import type { OwnedKind } from '../core/owned-kind.ts'
import { findOwner } from '../db/owners.ts'
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
 * @throws MillraceError pipeline_unknown, not_allowed, not_found
 */
export async function withinBounds(
  room: ServerRoom,
  within: Within,
  { kind, name, pipeline, tenant, ifRevision, standing }: Definition,
): Promise<{ readonly tenant: string | undefined; readonly ifRevision: number | undefined }> {
  if (within.tenant === null && within.pipelines === null) return { tenant, ifRevision }
  checkPipeline(within, pipeline)
  const ownTenant = tenantWithin(within, tenant)
  const revision = await standing()
  const owner = await findOwner(room.reads, kind, name)
  const isTheirs =
    owner === undefined ||
    ((within.pipelines === null || within.pipelines.includes(owner.pipeline ?? '')) &&
      (within.tenant === null || owner.tenant === within.tenant))
  if (!isTheirs) throw new MillraceError('not_found', `There is no such ${kind}.`)
  return { tenant: ownTenant, ifRevision: ifRevision ?? revision }
}

/** What concerns all tenants, or more than some pipelines. @throws MillraceError not_allowed */
export function refuseBound(within: Within, bound: 'tenant' | 'pipelines', why: string): void {
  if (within[bound] !== null) throw new MillraceError('not_allowed', `You may not do this. ${why}`)
}
