// For how long two processes have worked before one of them is killed: what comes of a kill depends on where their timers stand.

/** A process that has just connected judges nobody, and services seldom start as another dies. */
export const leastSettledMs = 16_500
/** A fifth of a minute: five kills lie at even distances in each period of 15, 30 and 60 s, in which leases are renewed and looked at. */
export const settledStepMs = 12_000
export const kills = 5

/** The same for all peers; in the turn that doesn't count as short as in the first that does. */
export function settledMs(round: number): number {
  return leastSettledMs + settledStepMs * (Math.max(0, round - 1) % kills)
}
