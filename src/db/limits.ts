// The SQL functions of limits: rules that operators and code define, and how they stand.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from './call.ts'
import { isUndoneByConflict, retryTransaction, retryWhen } from './transaction.ts'

export type LimitKind = 'concurrency' | 'rate' | 'breaker' | 'fairness'

/** What a rule says, as it is stored: each kind has its own settings. */
export interface LimitSettings {
  readonly kind: LimitKind
  /** Paths whose values are the key; none: one count for all. */
  readonly key?: ReadonlyArray<readonly string[]>
  readonly capacity?: number
  readonly strategy?: 'wait' | 'reject_newest' | 'cancel_oldest'
  readonly units?: number
  readonly per_ms?: number
  readonly burst?: number
  readonly units_path?: readonly string[]
  readonly failures?: number
  readonly window_ms?: number
  readonly cooldown_ms?: number
  /** Of a concurrency of one in strict order. */
  readonly fifo?: 'block' | 'pass'
  readonly weights?: Readonly<Record<string, number>>
  readonly default_weight?: number
}

/** What a rule holds for: a pipeline, a step of it, or a queue. */
export interface LimitTarget {
  readonly slug?: string
  readonly step?: string
  readonly queue?: string
}

export interface LimitDefinition {
  readonly name: string
  readonly settings: LimitSettings
  readonly targets: readonly LimitTarget[]
}

/** Defines a rule or changes it; answers its revision. @throws MillraceError limit_invalid, limit_blocked, revision_conflict */
export async function defineLimit(
  caller: Caller,
  { name, settings, targets }: LimitDefinition,
  ifRevision: number | null = null,
): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ revision: number }>(
      {
        name: 'millrace_define_limit',
        text: 'select millrace.define_limit($1, $2, $3, expected_revision => $4) as revision',
      },
      [name, JSON.stringify(settings), JSON.stringify(targets), ifRevision],
    ),
  )
  return rows[0]!.revision
}

export interface CodeLimitAnswer {
  readonly name: string
  /** An operator's is left as it is. */
  readonly change: 'defined' | 'same' | 'removed' | 'operator'
  readonly revision: number
}

/** Defines all rules that code declares for these pipelines. @throws MillraceError limit_invalid, limit_blocked */
export function defineCodeLimits(
  caller: Caller,
  limits: readonly LimitDefinition[],
  slugs: readonly string[],
): Promise<CodeLimitAnswer[]> {
  // All are changed or none: where a later one is blocked, the first ones would keep everybody from claiming meanwhile.
  return retryWhen(
    (error) =>
      isUndoneByConflict(error) || (error instanceof MillraceError && error.code === 'limit_blocked'),
    () =>
      caller.call<CodeLimitAnswer>(
        {
          name: 'millrace_define_code_limits',
          text: 'select name, change, revision from millrace.define_code_limits($1, $2)',
        },
        [JSON.stringify(limits), slugs],
      ),
    { delayMs: 200 },
  )
}

/** True where there was one. @throws MillraceError limit_blocked, revision_conflict */
export async function removeLimit(
  caller: Caller,
  name: string,
  ifRevision: number | null = null,
): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ removed: boolean }>(
      { name: 'millrace_remove_limit', text: 'select millrace.remove_limit($1, $2) as removed' },
      [name, ifRevision],
    ),
  )
  return rows[0]!.removed
}

export interface LimitKeyRow {
  readonly key: string
  readonly used: number
  readonly capacity: number | null
  readonly waiting: number
  readonly full_until: string | null
  readonly open_until: string | null
  readonly held_until: string | null
  readonly head_run: string | null
  readonly head_step: string | null
  readonly head_since: string | null
  readonly weight?: number
}

export interface LimitRow {
  readonly name: string
  readonly kind: LimitKind
  readonly settings: LimitSettings
  readonly targets: readonly LimitTarget[]
  readonly source: 'code' | 'operator'
  readonly revision: number
  readonly changed_at: Date
  readonly changed_by: string
  readonly busiest: readonly LimitKeyRow[]
}

/** The rules by name, or one of them, each with so many of its busiest keys. */
export function listLimits(caller: Caller, name: string | null, keys: number): Promise<LimitRow[]> {
  return caller.call<LimitRow>(
    {
      name: 'millrace_list_limits',
      text: `select name, kind, settings, targets, source, revision, changed_at, changed_by, busiest
        from millrace.list_limits($1, $2)`,
    },
    [name, keys],
  )
}
