// Owns how watches are said: what each is on, how far behind it is, and what is wrong with it.
import { count, durationWords } from '../../core/wording.ts'
import type { BackfillInfo, WatchInfo } from '../../sdk/watches.ts'

export function watchWords({ table, settings, pipeline, tenant }: WatchInfo): string {
  const { operations, columns, coalesce_ms } = settings
  const of = columns === undefined ? '' : ` of ${columns.join(', ')}`
  const gathered = coalesce_ms === undefined ? '' : `, gathered for ${durationWords(coalesce_ms)}`
  const whose = tenant === null ? "an operator's" : `tenant ${tenant}'s`
  return `${operations.join(', ')}${of} in ${table} start ${pipeline}${gathered}; it is ${whose}`
}

export function stateWords({ retiredAt, pausedAt, installedAt, problems }: WatchInfo): string {
  if (retiredAt !== null) return 'retired'
  if (installedAt === null) return 'not applied'
  if (problems.length > 0) return 'drifted'
  return pausedAt === null ? 'applied' : 'paused'
}

export function waitingWords({ waiting, oldestAt }: WatchInfo, now: Date): string {
  return oldestAt === null
    ? 'none'
    : `${count(waiting, 'change', 'changes')}, the oldest for ${durationWords(now.getTime() - oldestAt.getTime())}`
}

export function backfillWords({ id, condition, state, expected, done, error }: BackfillInfo): string {
  const of = state === 'open' ? ` of about ${expected.toLocaleString('en-US')}` : ''
  return `Backfill ${id}, where ${condition}: ${state}, ${count(done, 'row', 'rows')}${of}${error === null ? '' : `: ${error}`}.`
}
