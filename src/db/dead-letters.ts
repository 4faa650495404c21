// Dead letters one by one: the failed runs that nobody has decided on.
import type { Caller } from './call.ts'
import type { Place } from './list-bounds.ts'

export interface DeadLetterRow {
  readonly run: string
  readonly pipeline: string
  readonly tenant: string | null
  readonly step: string | null
  readonly item: number | null
  readonly fingerprint: string | null
  readonly error: { readonly code?: string; readonly message?: string }
  readonly failed_at: Date
  /** When it failed, to the microsecond: where a page ended. */
  readonly position: string
}

export interface DeadLetterFilter {
  readonly pipeline?: string | undefined
  readonly tenant?: string | undefined
  readonly fingerprint?: string | undefined
  /** Only of these. */
  readonly pipelines?: readonly string[] | undefined
  /** Only those after this one: its position. */
  readonly after?: Place | undefined
  readonly limit: number
}

/** The latest failure first. */
export function listDeadLetters(caller: Caller, filter: DeadLetterFilter): Promise<DeadLetterRow[]> {
  return caller.call<DeadLetterRow>(
    {
      name: 'millrace_list_dead_letters',
      text: `select l.run_id as run, l.slug as pipeline, l.tenant, l.step, nullif(l.item, -1) as item, l.fingerprint, l.error - array['stack', '$encrypted'] as error, l.failed_at,
          to_char(l.failed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as position
        from millrace.dead_letter l
       where ($1::text is null or l.slug = $1) and ($2::text is null or l.tenant = $2) and ($3::text is null or l.fingerprint = $3)
         and ($4::text[] is null or l.slug = any ($4)) and ($5::timestamptz is null or (l.failed_at, l.run_id) < ($5, $6::uuid))
       order by l.failed_at desc, l.run_id desc limit $7`,
    },
    [
      filter.pipeline ?? null,
      filter.tenant ?? null,
      filter.fingerprint ?? null,
      filter.pipelines ?? null,
      ...(filter.after ?? [null, null]),
      filter.limit,
    ],
  )
}
