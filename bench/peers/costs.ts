// What a task or a run costs: from what turns spent, and on how many.
import type { Costs } from './result.ts'

/** What work took: processor seconds and bytes of log always, statements and commits in the turn that counts them. */
export interface Cost {
  readonly clientCpuSeconds: number
  readonly serverCpuSeconds: number
  readonly logBytes: number
  readonly counted?: Counted
}

export interface Counted {
  readonly statements: number
  /** Those that wrote to the log; unknown where the server does not let it be read. */
  readonly commits: number | undefined
}

export interface Spent extends Cost {
  /** Tasks or runs that ended in it, which is what it is divided by. */
  readonly units: number
}

export interface AllSpent {
  /** Of the turn that is not timed. */
  readonly counted: Spent | undefined
  readonly timed: readonly Spent[]
  /** Who keeps its tasks elsewhere has no statements, commits and log there. */
  readonly inPostgres: boolean
  readonly peakBytes: number
}

/** Nothing where no task ended: there is none that could have cost anything. */
export function costsOf({ counted, timed, inPostgres, peakBytes }: AllSpent): Costs | undefined {
  const total = (pick: (spent: Spent) => number) => timed.reduce((sum, spent) => sum + pick(spent), 0)
  const units = total((spent) => spent.units)
  if (units === 0) return undefined
  const countedEach = (count: number | undefined) =>
    inPostgres && count !== undefined && counted !== undefined && counted.units > 0
      ? count / counted.units
      : null
  return {
    clientCpuMs: (1_000 * total((spent) => spent.clientCpuSeconds)) / units,
    serverCpuMs: (1_000 * total((spent) => spent.serverCpuSeconds)) / units,
    statements: countedEach(counted?.counted?.statements),
    commits: countedEach(counted?.counted?.commits),
    logBytes: inPostgres ? total((spent) => spent.logBytes) / units : null,
    peakBytes,
  }
}
