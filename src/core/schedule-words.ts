// Owns how schedules and firings are told: when one is due, what became of one.
import { localTime } from './cron.ts'
import type { FiringState } from './state.ts'
import { count, durationWords } from './wording.ts'

export interface ToldCadence {
  readonly cron: string | null
  readonly timezone: string | null
  readonly everyMs: number | null
}

/** "0 7 * * 1-5 in Europe/Berlin", or "each 15 min". */
export function cadenceWords({ cron, timezone, everyMs }: ToldCadence): string {
  if (cron !== null) return `${cron} in ${timezone ?? 'UTC'}`
  return `each ${durationWords(everyMs ?? 0)}`
}

/** An instant on the clock of a zone, with its offset; that of UTC where the zone is not known here. */
export function slotWords(slot: Date, timezone: string | null): string {
  try {
    return localTime(slot, timezone ?? 'UTC')
  } catch {
    return localTime(slot, 'UTC')
  }
}

interface ToldFiring {
  readonly state: FiringState
  readonly reason: string | null
  readonly refusal: string | null
  readonly blockedBy: string | null
  readonly slots: number
  readonly overdueAt: Date | null
  readonly error: { readonly message?: string } | null
}

const reasons: Readonly<Record<string, string>> = {
  overlap: 'another run of it was live',
  paused: 'it was paused, or its pipeline',
  too_late: 'it was too long ago to catch up',
  too_many: 'more were missed than are caught up',
  retired: 'the schedule was removed',
  not_caught_up: 'nobody was there, and it is not caught up',
  no_start: 'its run could not be started',
  run_failed: 'its run failed',
  run_cancelled: 'its run was cancelled',
}

/** What became of a firing, with the reason: "skipped: another run of it was live". */
export function firingWords(firing: ToldFiring): string {
  const { state, reason, refusal, slots, overdueAt, error } = firing
  const why =
    reason === 'refused'
      ? `its start was refused (${refusal})`
      : reason === null
        ? ''
        : (reasons[reason] ?? reason)
  const several = slots > 1 ? `${count(slots, 'slot', 'slots')} ` : ''
  const said = error?.message === undefined ? '' : `: ${error.message}`
  return `${several}${state}${overdueAt === null ? '' : ', overdue'}${why === '' ? '' : `: ${why}${said}`}`
}
