// The SQL functions of rules on starts: define and remove.
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'

type Paths = ReadonlyArray<readonly string[]>

/** A rule as the database takes it. */
export type StartRuleSettings =
  | { readonly kind: 'debounce'; readonly key: Paths; readonly wait_ms: number; readonly most_ms?: number }
  | {
      readonly kind: 'throttle'
      readonly key: Paths
      readonly starts: number
      readonly per_ms: number
      readonly surplus?: 'refuse' | 'coalesce'
    }
  | { readonly kind: 'latest'; readonly key: Paths; readonly do: 'reject newcomer' | 'cancel other' }
  | { readonly kind: 'waiting'; readonly key: Paths; readonly most: number }

/** The rules that code brings, by name. */
export type StartRules = Readonly<Record<string, StartRuleSettings>>

export interface StartRuleRow {
  readonly pipeline: string
  readonly name: string
  readonly settings: StartRuleSettings
  readonly source: 'code' | 'operator'
  readonly revision: number
  readonly changed_at: Date
  readonly changed_by: string
}

/** Defines a rule, or changes it; answers its revision. @throws MillraceError start_rule_invalid, pipeline_unknown, revision_conflict */
export async function defineStartRule(
  caller: Caller,
  slug: string,
  name: string,
  settings: StartRuleSettings,
  ifRevision: number | null = null,
): Promise<number> {
  const rows = await caller.call<{ revision: number }>(
    {
      name: 'millrace_define_start_rule',
      text: `select millrace.define_start_rule($1, $2, $3::jsonb, 'operator', $4) as revision`,
    },
    [slug, name, JSON.stringify(settings), ifRevision],
  )
  return rows[0]!.revision
}

/** True where there was one. @throws MillraceError revision_conflict */
export async function removeStartRule(
  caller: Caller,
  slug: string,
  name: string,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await caller.call<{ changed: boolean }>(
    { name: 'millrace_remove_start_rule', text: 'select millrace.remove_start_rule($1, $2, $3) as changed' },
    [slug, name, ifRevision],
  )
  return rows[0]!.changed
}

interface StartRuleBounds extends Pick<ListBounds, 'pipelines' | 'limit'> {
  /** The pipeline and the name of the last one of the page before. */
  readonly after?: readonly [string, string] | undefined
}

/** The rules of all pipelines, or of one. */
export function listStartRules(
  caller: Caller,
  slug: string | null,
  { pipelines, after, limit }: StartRuleBounds = {},
): Promise<StartRuleRow[]> {
  return caller.call<StartRuleRow>(
    {
      name: 'millrace_list_start_rules',
      text: `select k.slug as pipeline, k.name, k.source, k.revision, k.changed_at, k.changed_by,
                    jsonb_strip_nulls(jsonb_build_object('kind', k.kind, 'key', k.key_paths, 'wait_ms', k.wait_ms, 'starts', k.starts, 'per_ms', k.per_ms,
                      'surplus', k.surplus, 'do', k.action, 'most', k.most, 'most_ms', k.wait_most_ms)) as settings
               from millrace.start_rule k where ($1::text is null or k.slug = $1) and ($2::text[] is null or k.slug = any ($2))
                and ($3::text is null or (k.slug, k.name) > ($3, $4::text))
              order by k.slug, k.name limit $5`,
    },
    [slug, pipelines ?? null, after?.[0] ?? null, after?.[1] ?? null, limit ?? null],
  )
}
