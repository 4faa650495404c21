// The SQL functions that know whether this database is a copy of another one, and let one that is run what came with it.
import type { Caller } from './call.ts'

/** Whether it came from another one, by a dump or from a template, and nobody has enabled it since. */
export async function isCopiedDatabase(caller: Caller): Promise<boolean> {
  const rows = await caller.call<{ copied: boolean }>(
    { name: 'millrace_is_copied_database', text: 'select millrace.is_copied_database() as copied' },
    [],
  )
  return rows[0]!.copied
}

export interface EnabledDatabase {
  /** False where it was no copy: then nothing was changed. */
  readonly enabled: boolean
  /** Workers, and executors outside, whose leases came along and are void. */
  readonly workers: number
  /** Tasks that were taken back from those. */
  readonly tasks: number
}

export async function enableDatabase(caller: Caller): Promise<EnabledDatabase> {
  const rows = await caller.call<EnabledDatabase>(
    {
      name: 'millrace_enable_database',
      text: 'select enabled, workers, tasks from millrace.enable_database()',
    },
    [],
  )
  return rows[0]!
}
