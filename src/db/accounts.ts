// The SQL function that tells a run's account.
import type { RunAccount } from '../core/account-data.ts'
import type { Caller } from './call.ts'

/** Everything that is known of one run, with every list bounded. @throws MillraceError run_unknown */
export async function runAccount(caller: Caller, runId: string): Promise<RunAccount> {
  const rows = await caller.call<{ account: RunAccount }>(
    { name: 'millrace_run_account', text: 'select millrace.run_account($1) as account' },
    [runId],
  )
  return rows[0]!.account
}
