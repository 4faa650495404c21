// Owns how a step of the load names itself in what it gives and in what it fails with.
import type { Told } from './recipes.ts'

interface Attempt {
  readonly attempt: number
}

export function toldBy({ attempt }: Attempt, n: number): Told {
  return { n, attempt, pid: process.pid }
}

/** At the end of each message with which a step of the load fails. */
export function byWhom({ attempt }: Attempt): string {
  return `attempt ${attempt} of process ${process.pid}.`
}
