// Owns what a doctor looks at of watched tables: whether each change is recorded, and told before long.
import { count, durationWords } from '../../core/wording.ts'
import type { ReplicaSetting, WatchRow } from '../../db/watches.ts'
import { type Finding, ok, warn } from './finding.ts'

const waitingTold = 100_000
const waitingMsTold = 300_000

export function checkWatches(
  watches: readonly WatchRow[],
  replicas: readonly ReplicaSetting[],
  now: Date,
): Finding {
  if (watches.length === 0) return ok('changes', 'No table is watched')
  const [problem] = watches.filter(({ problems }) => problems.length > 0)
  if (problem !== undefined)
    return warn(
      'changes',
      `Watch ${problem.name} misses changes, or refuses them: ${problem.problems.join('; ')}.`,
      'See what is to be done with: npx millrace watch plan',
    )
  if (replicas.length > 0)
    return warn(
      'changes',
      `Row triggers are off for ${replicas.map(({ holder }) => holder).join(', ')} (session_replication_role = replica): nothing that they write is recorded.`,
      'Take the setting back where applications write: alter role … reset session_replication_role',
    )
  const gap = watches.find(({ gaps }) => gaps > 0)
  if (gap !== undefined)
    return warn(
      'changes',
      `Watch ${gap.name} has ${count(gap.gaps, 'gap', 'gaps')}: changes that could not be recorded, the last one because of ${gap.last_gap}.`,
      `Tell the rows again with: npx millrace watch backfill ${gap.name}`,
    )
  const behind = watches.find(
    ({ waiting, oldest_at }) =>
      waiting >= waitingTold || (oldest_at !== null && now.getTime() - oldest_at.getTime() > waitingMsTold),
  )
  if (behind !== undefined)
    return warn(
      'changes',
      `${count(behind.waiting, 'change', 'changes')} of watch ${behind.name} wait to be told, the oldest for ${durationWords(now.getTime() - (behind.oldest_at ?? now).getTime())}${behind.held_reason === null ? '' : `: ${behind.held_reason}`}.`,
      `Start a worker, or see why with: npx millrace watch show ${behind.name}`,
    )
  return ok(
    'changes',
    `${count(watches.length, 'watched table records', 'watched tables record')} each change`,
  )
}
