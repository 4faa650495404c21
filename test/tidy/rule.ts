// A rule of the house: what it claims, why it stands, what it finds, and a small house that breaks it.
import type { House } from './house.ts'

export type Rule = {
  /** A sentence that is true of a tidy house. */
  claim: string
  /** Why the rule stands; printed with its findings. */
  reason: string
  /** Files (path to text) of a house in which the rule must find something: a rule that finds nothing there is dead. */
  offence: Record<string, string>
  /** One sentence for each place that breaks the rule. */
  find: (house: House) => string[]
}

export const report = (rule: Rule, findings: string[]): string =>
  [`${rule.claim}.`, `Why: ${rule.reason}`, ...findings.map((finding) => `  - ${finding}`)].join('\n')
