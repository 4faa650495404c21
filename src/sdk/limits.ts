// What applications do with limits: list how they stand, define them, remove them; and where pipelines have them.
import { digestOf } from '../core/digest.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import {
  defineLimit,
  type LimitDefinition,
  type LimitKeyRow,
  type LimitRow,
  type LimitTarget,
  listLimits,
  removeLimit,
} from '../db/limits.ts'
import { isLimit, type Limit } from './limit.ts'

/** A key of a rule, as it stands. */
export interface LimitKey {
  /** The value at its path; of several paths the JSON list of their values; empty where all count together. */
  readonly key: string
  /** Of concurrency: the slots in use, of how many. */
  readonly used: number
  readonly capacity: number | null
  /** How many tasks wait for it, counted up to 10,000. */
  readonly waiting: number
  /** Of a rate: when all that was taken is over. */
  readonly fullUntil: Date | null
  /** Of a breaker that has opened: when a task may probe. */
  readonly openUntil: Date | null
  /** A handler asked to be left alone until then. */
  readonly heldUntil: Date | null
  /** In a strict order: the task that is first, since when; all that wait for the key wait behind it. */
  readonly head: { readonly run: string; readonly step: string; readonly since: Date } | null
  /** Of fairness: how many tasks the key begins each turn. */
  readonly weight: number | null
}

export interface LimitInfo
  extends Pick<LimitRow, 'name' | 'kind' | 'settings' | 'targets' | 'source' | 'revision'> {
  readonly changedAt: Date
  readonly changedBy: string
  /** Its busiest keys. */
  readonly keys: readonly LimitKey[]
}

export interface LimitDefineOptions {
  /** What it holds for: a pipeline, a step of one, or a queue; what it holds for now unless told. */
  readonly targets?: readonly LimitTarget[]
  /** The revision on which the change was decided; 0 where there was none. */
  readonly ifRevision?: number
}

export class Limits {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** The rules, or the one of a name, each with its busiest keys: 10 unless told, at most 1,000. */
  async list(options: { readonly name?: string; readonly keys?: number } = {}): Promise<LimitInfo[]> {
    const rows = await listLimits(await this.#caller(), options.name ?? null, options.keys ?? 10)
    return rows.map(infoOf)
  }

  /**
   * Defines a rule, or changes it while runs are under way; answers its revision. From then on it is an operator's, and what code declares under
   * the same name changes nothing.
   *
   * @throws MillraceError limit_invalid, revision_conflict
   */
  async define(rule: Limit, options: LimitDefineOptions = {}): Promise<{ readonly revision: number }> {
    const { name, settings } = checkLimit(rule, 'limits.define')
    const caller = await this.#caller()
    if (options.targets !== undefined) {
      const revision = await defineLimit(
        caller,
        { name, settings, targets: options.targets },
        options.ifRevision,
      )
      return { revision }
    }
    const [found] = await listLimits(caller, name, 0)
    const seen = options.ifRevision ?? found?.revision ?? null
    return { revision: await defineLimit(caller, { name, settings, targets: found?.targets ?? [] }, seen) }
  }

  /** Removes a rule: what waited for it goes on. True where there was one. @throws MillraceError revision_conflict */
  async remove(name: string, options: { readonly ifRevision?: number } = {}): Promise<boolean> {
    return removeLimit(await this.#caller(), name, options.ifRevision)
  }
}

/** Where a pipeline has a rule: for a step, or for all of them. */
export interface PlacedLimit {
  readonly rule: Limit
  readonly step: string | null
}

/** The option of a pipeline or a step as a list of rules. @throws MillraceError limit_invalid */
export function rulesOf(what: string, given: Limit | readonly Limit[] | undefined): Limit[] {
  const rules = given === undefined ? [] : isLimit(given) ? [given] : given
  if (!Array.isArray(rules)) throw noRule(what)
  return rules.map((rule) => checkLimit(rule, what))
}

/** The rules of several pipelines, each with all that it holds for. @throws MillraceError limit_invalid, where two are called alike */
export function limitDefinitions(
  pipelines: ReadonlyArray<{ readonly slug: string; readonly limits?: readonly PlacedLimit[] }>,
): LimitDefinition[] {
  const definitions = new Map<string, LimitDefinition & { targets: LimitTarget[] }>()
  for (const { slug, limits = [] } of pipelines) {
    for (const { rule, step } of limits) {
      const { name, settings } = rule
      const known = definitions.get(name) ?? { name, settings, targets: [] }
      if (digestOf(known.settings) !== digestOf(settings)) throw twoRules(name)
      definitions.set(name, known)
      const target = step === null ? { slug } : { slug, step }
      if (!known.targets.some((one) => one.slug === slug && one.step === target.step))
        known.targets.push(target)
    }
  }
  return [...definitions.values()]
}

export function unknownLimit(name: string): MillraceError {
  return new MillraceError('limit_unknown', `There is no limit '${name.slice(0, 100)}'.`, {
    fields: { name },
  })
}

function checkLimit(rule: unknown, what: string): Limit {
  if (isLimit(rule)) return rule
  throw noRule(what)
}

function noRule(what: string): MillraceError {
  return new MillraceError('limit_invalid', `What ${what} was given is no limit.`, {
    hint: "Make one with limit('name', { concurrency: 5 }).",
  })
}

function twoRules(name: string): MillraceError {
  return new MillraceError('limit_invalid', `There are two limits '${name}' which say different things.`, {
    fields: { name },
    hint: 'Make the rule once, and give the same one to all that it holds for; or give each a name of its own.',
  })
}

function infoOf({ busiest, changed_at, changed_by, ...row }: LimitRow): LimitInfo {
  return { ...row, changedAt: changed_at, changedBy: changed_by, keys: busiest.map(keyOf) }
}

function keyOf(row: LimitKeyRow): LimitKey {
  const { key, used, capacity, waiting, weight = null } = row
  const { head_run: run, head_step: step, head_since: since } = row
  return {
    key,
    used,
    capacity,
    waiting,
    fullUntil: date(row.full_until),
    openUntil: date(row.open_until),
    heldUntil: date(row.held_until),
    head: run === null || step === null || since === null ? null : { run, step, since: new Date(since) },
    weight,
  }
}

function date(text: string | null): Date | null {
  return text === null ? null : new Date(text)
}
