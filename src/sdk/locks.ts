// Owns named locks as handlers see them.
import type { Duration } from '../core/duration.ts'

export interface LockOptions {
  /** How long to wait for it; without it, as long as the attempt may take. 0 takes it only where it is free. */
  readonly timeout?: Duration
}

/** What the function under a lock is given. */
export interface HeldLock {
  /** Higher than that of every holder before: give it to what you write to, which can so refuse an older one. */
  readonly token: number
}

/**
 * Runs the function while no other attempt of this tenant, on whatever worker, holds the lock of this name; who asked first has it first. It ends with
 * the function, in a `tx` step with its transaction, and whatever happens with the attempt.
 * @throws MillraceError lock_timeout, lock_circle, lock_invalid, duration_invalid
 */
export interface Lock {
  <Out>(name: string, work: (lock: HeldLock) => Out): Promise<Awaited<Out>>
  <Out>(name: string, options: LockOptions, work: (lock: HeldLock) => Out): Promise<Awaited<Out>>
}
