// The worker of the client's own process: starts may come back already leased to it, and ends of runs are heard at once.
import type { HandOver } from '../db/runs.ts'

export interface HandedOver {
  readonly taskId: number
  readonly stepId: number
  readonly runId: string
  readonly input: unknown
  readonly tenant: string | null
  readonly key: string | null
  readonly headers: Record<string, string> | null
  readonly priority: number
}

/** How a run ended, as the worker of this process heard it; null where it only knows that the run has ended. */
export type LocalEnd = { readonly output: unknown } | null

export interface LocalWorker {
  /** Whether it serves this version of a pipeline. */
  serves(slug: string, version: number | null): boolean
  /** How many slots are free for starts. */
  readonly free: number
  /** Sets free slots aside for starts; undefined where it has none or takes nothing at present. */
  reserve(wanted: number): HandOver | undefined
  /** Takes what was handed over and gives the rest of the reservation back. */
  take(reserved: number, tasks: readonly HandedOver[]): void
  /** The answer to a start was lost: what was handed over must be asked for. */
  lostAnswer(reserved: number): void
  /** Calls back once when a run that it has in hand ends, or leaves its hands; answers how to take the interest back, undefined where it has no such run. */
  watch(runId: string, ended: (end: LocalEnd) => void): (() => void) | undefined
}

const workers = new Map<string, LocalWorker>()

/** Makes a worker known to the clients of this process that use the same database. */
export function addLocalWorker(connectionString: string, worker: LocalWorker): void {
  workers.set(connectionString, worker)
}

export function removeLocalWorker(connectionString: string, worker: LocalWorker): void {
  if (workers.get(connectionString) === worker) workers.delete(connectionString)
}

export function localWorker(connectionString: string): LocalWorker | undefined {
  return workers.get(connectionString)
}
