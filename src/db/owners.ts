// To whom things belong: the pipeline and the tenant by which a key is let through to them.
import type { OwnedKind } from '../core/owned-kind.ts'
import type { Caller } from './call.ts'

export interface Owner {
  readonly pipeline: string | null
  readonly tenant: string | null
  readonly run: string | null
}

const textByKind: Readonly<Record<OwnedKind, string>> = {
  run: `select r.slug as pipeline, r.tenant, r.id as run from millrace.run r where r.id = $1::uuid`,
  approval: `select r.slug as pipeline, r.tenant, r.id as run from millrace.approval a join millrace.run r on r.id = a.run_id where a.id = $1::uuid`,
  // By what it was ordered for: of named runs, by the first of them, since whoever named them could name no others.
  redrive: `select coalesce(r.slug, d.filter ->> 'pipeline') as pipeline, coalesce(r.tenant, d.filter ->> 'tenant') as tenant, r.id as run
    from millrace.redrive d left join millrace.run r on r.id = (d.filter #>> '{runs,0}')::uuid and jsonb_array_length(d.filter -> 'runs') = 1 where d.id = $1::uuid`,
  // Of no tenant: starts of every tenant go to the same pipeline.
  pipeline: `select p.slug as pipeline, null::text as tenant, null::uuid as run from millrace.pipeline p where p.slug = $1`,
  // Removed ones count: their firings are whose they were.
  schedule: `select s.slug as pipeline, s.tenant, null::uuid as run from millrace.schedule s where s.name = $1`,
  watch: `select w.slug as pipeline, w.tenant, null::uuid as run from millrace.change_watch w where w.name = $1`,
  subscription: `select s.slug as pipeline, s.tenant, null::uuid as run from millrace.subscription s where s.name = $1`,
  callback: `select r.slug as pipeline, r.tenant, r.id as run from millrace.callback_delivery d join millrace.run r on r.id = d.run_id where d.id = $1::uuid`,
}

/** To whom runs belong, those that there are. */
export function findRunOwners(caller: Caller, runs: readonly string[]): Promise<Owner[]> {
  return caller.call<Owner>(
    {
      name: 'millrace_owners_of_runs',
      text: 'select r.slug as pipeline, r.tenant, r.id as run from millrace.run r where r.id = any ($1::uuid[])',
    },
    [runs],
  )
}

/** Undefined where there is no such thing. @param named what the path names: checked by the operation's schema before */
export async function findOwner(caller: Caller, kind: OwnedKind, named: string): Promise<Owner | undefined> {
  const rows = await caller.call<Owner>({ name: `millrace_owner_${kind}`, text: textByKind[kind] }, [named])
  return rows[0]
}
