// What applications do with rules on starts: list them, define and remove them while runs are under way.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import {
  defineStartRule,
  listStartRules,
  removeStartRule,
  type StartRuleRow,
  type StartRuleSettings,
} from '../db/start-rules.ts'
import { type StartRuleOptions, startRulesOf } from './start-rules.ts'

export interface StartRuleInfo {
  readonly pipeline: string
  readonly name: string
  /** As the database keeps it. */
  readonly settings: StartRuleSettings
  /** Who brought it: the code of the pipeline, or an operator, whose change the code leaves alone. */
  readonly source: 'code' | 'operator'
  readonly revision: number
  readonly changedAt: Date
  readonly changedBy: string
}

export interface StartRuleChange {
  /** That of its kind unless told. */
  readonly name?: string
  /** The revision on which the change was decided; 0 where there was none. */
  readonly ifRevision?: number
}

export class StartRuleBook {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** The rules of all pipelines, or of one. */
  async list(pipeline?: string): Promise<StartRuleInfo[]> {
    return (await listStartRules(await this.#caller(), pipeline ?? null)).map(infoOf)
  }

  /**
   * Defines one rule, written as in a pipeline: `define('orders', { debounce: { key: 'customer', wait: '5s' } })`. Answers its revision. From then
   * on it is an operator's, and what code declares under the same name changes nothing.
   *
   * @throws MillraceError start_rule_invalid, pipeline_unknown, revision_conflict, key_not_a_path, duration_invalid
   */
  async define(
    pipeline: string,
    rule: StartRuleOptions<Record<string, unknown>>,
    { name, ifRevision }: StartRuleChange = {},
  ): Promise<{ readonly revision: number }> {
    const rules = Object.entries(startRulesOf(pipeline, rule, { key: [], encrypt: undefined }))
    const [first] = rules
    if (first === undefined || rules.length > 1) {
      throw new MillraceError(
        'start_rule_invalid',
        `startRules.define takes one rule, not ${rules.length}: debounce, throttle, latest or waiting.`,
      )
    }
    const [kind, settings] = first
    const revision = await defineStartRule(await this.#caller(), pipeline, name ?? kind, settings, ifRevision)
    return { revision }
  }

  /** False where there was none. What code brings comes back with its next registration. @throws MillraceError revision_conflict */
  async remove(
    pipeline: string,
    name: string,
    { ifRevision }: Pick<StartRuleChange, 'ifRevision'> = {},
  ): Promise<boolean> {
    return removeStartRule(await this.#caller(), pipeline, name, ifRevision)
  }
}

function infoOf({ changed_at: changedAt, changed_by: changedBy, ...row }: StartRuleRow): StartRuleInfo {
  return { ...row, changedAt, changedBy }
}
