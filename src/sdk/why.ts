// Owns what a client answers to why(): of which task the sentence is, its reason as a word, and until when.
import type { WhyReason } from '../core/why-reason.ts'
import type { WhyRow } from '../db/whys.ts'

export interface Why {
  /** A word for programs, such as needs_version, retry or queued. */
  readonly reason: WhyReason
  /** For people, in UTC. */
  readonly sentence: string
  /** The step that the sentence is about; null where it is about the run. */
  readonly step: string | null
  /** Of a map: the place of the item. */
  readonly item: number | null
  /** When it goes on by itself; null where that isn't known. */
  readonly dueAt: Date | null
}

export function whyOf({ reason, sentence, told_step, told_item, due_at }: WhyRow): Why {
  return { reason, sentence, step: told_step, item: told_item, dueAt: due_at }
}
