// Owns what of a tenant and of a pipeline a request may name: a key that is bound to one names no other.
import type { Actor } from '../api/access.ts'
import { followAccess } from '../api/streams.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { authorize } from './authorize.ts'
import type { Within } from './route.ts'

/** The tenant that is meant: the one that is named, or that the key is bound to. @throws MillraceError not_allowed */
export function tenantWithin(within: Within, tenant: string | undefined): string | undefined {
  if (within.tenant !== null && tenant !== undefined && tenant !== within.tenant)
    throw new MillraceError('not_allowed', 'You may not do this. The key is bound to another tenant.')
  return within.tenant ?? tenant
}

/** Of a pipeline that the key is not bound to nothing is said, not even that it is there. @throws MillraceError pipeline_unknown */
export function checkPipeline(within: Within, pipeline: string): void {
  if (within.pipelines === null || within.pipelines.includes(pipeline)) return
  throw new MillraceError('pipeline_unknown', `There is no pipeline '${pipeline}'.`, { fields: { pipeline } })
}

/** A run as sentences name it, with its step. */
const namedRun = /(?:'[^']*'(?: item \d+)? of )?run ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/g

/** What stands in the way of a run may be runs of others: whoever is bound learns that they are, and not which. */
export async function withoutOthers(actor: Actor, reads: Caller, sentence: string): Promise<string> {
  let told = sentence
  for (const [words, run] of sentence.matchAll(namedRun)) {
    const isTheirs = await authorize(followAccess.run, actor, { run }, reads).then(
      () => true,
      () => false,
    )
    if (!isTheirs) told = told.replace(words, 'another run')
  }
  return told
}
