// The SQL functions of failures in a row: run keys that are paused, why, and how they go on.
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'

/** True where the key was paused. @throws MillraceError pipeline_unknown */
export async function resumeKey(
  caller: Caller,
  slug: string,
  key: string,
  tenant: string | null,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_resume_key', text: 'select millrace.resume_key($1, $2, $3) as changed' },
    [slug, key, tenant],
  )
  return rows[0]!.changed
}

/** A start that was refused as paused. */
export interface PausedStart {
  readonly slug: string
  readonly version: number | null
  readonly input: string
  readonly tenant: string | null
}

/** Why starts were refused as paused, and what lets them go on, in the order given; null where that is over already. */
export async function tellPauses(
  caller: Caller,
  starts: readonly PausedStart[],
): Promise<Array<string | null>> {
  const rows = await caller.call<{ sentence: string | null }>(
    {
      name: 'millrace_tell_pause',
      text: `select millrace.tell_pause(g.slug, g.input, g.tenant, g.version) as sentence
        from unnest($1::text[], $2::jsonb[], $3::text[], $4::int[]) with ordinality g(slug, input, tenant, version, n) order by g.n`,
    },
    [
      starts.map(({ slug }) => slug),
      starts.map(({ input }) => input),
      starts.map(({ tenant }) => tenant),
      starts.map(({ version }) => version),
    ],
  )
  return rows.map(({ sentence }) => sentence)
}

export interface PausedKeyRow {
  readonly slug: string
  readonly tenant: string | null
  readonly key: string
  readonly failures: number
  readonly paused_at: Date
  /** The run that failed last. */
  readonly run_id: string
}

/** The run keys that are paused, the newest first, at most 1,000; of all pipelines, or of one. */
export function listPausedKeys(
  caller: Caller,
  slug: string | null,
  { tenant, pipelines }: Pick<ListBounds, 'tenant' | 'pipelines'> = {},
): Promise<PausedKeyRow[]> {
  return caller.call<PausedKeyRow>(
    {
      name: 'millrace_list_paused_keys',
      text: `select s.slug, s.tenant, s.key, s.failures, s.paused_at, s.run_id from millrace.failure_streak s
        where s.paused_at is not null and ($1::text is null or s.slug = $1)
          and ($2::text is null or s.tenant = $2) and ($3::text[] is null or s.slug = any ($3)) order by s.paused_at desc, s.id desc limit 1000`,
    },
    [slug, tenant ?? null, pipelines ?? null],
  )
}
