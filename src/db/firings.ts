// The SQL functions of firings: what their ends lead to, and which of them are overdue.
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

/** Tells schedules of their firings' ends, of so many schedules at once; answers whether there is more. */
export async function settleFirings(caller: Caller, most: number): Promise<boolean> {
  const rows = await retryTransaction(() =>
    caller.call<{ more: boolean }>(
      { name: 'millrace_settle_firings', text: 'select millrace.settle_firings($1) as more' },
      [most],
    ),
  )
  return rows[0]!.more
}

/** Marks firings that are not closed by their deadline; answers how many. */
export async function markOverdue(caller: Caller, most: number): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ marked: number }>(
      { name: 'millrace_mark_overdue', text: 'select millrace.mark_overdue($1) as marked' },
      [most],
    ),
  )
  return rows[0]!.marked
}
