// Owns the account of a run without values: nothing of what it was given, and nothing in the words of its handlers.
import type { AccountAttempt, AccountError, AccountTask, RunAccount } from '../../core/account-data.ts'
import { masked } from '../../core/masked-headers.ts'

export function unsaidAccount(account: RunAccount): RunAccount {
  const { run, tasks, attempts, events, lineage } = account
  return {
    ...account,
    run: {
      ...run,
      key: null,
      idempotency_key: null,
      error: unsaidError(run.error),
      outcome_error: unsaidError(run.outcome_error),
    },
    tasks: { ...tasks, listed: tasks.listed.map(unsaidTask) },
    attempts: { ...attempts, listed: attempts.listed.map(unsaidAttempt) },
    events: { ...events, listed: [] },
    lineage: { ...lineage, of: lineage.of && { ...lineage.of, difference: null } },
    metadata: {},
    metrics: account.metrics.map((metric) => ({ ...metric, labels: {} })),
    progress: account.progress.map((told) => ({ ...told, note: null })),
  }
}

/** Keys of limits are values of the input; signals are often called after one. */
function unsaidTask({ limit, waits, ...task }: AccountTask): AccountTask {
  return {
    ...task,
    ...(limit && { limit: { ...limit, key: masked } }),
    waits: waits.map((wait) => ({ ...wait, signals: null, title: null })),
  }
}

function unsaidAttempt(attempt: AccountAttempt): AccountAttempt {
  return { ...attempt, error: unsaidError(attempt.error), reason: null }
}

function unsaidError(error: AccountError | null): AccountError | null {
  if (error === null) return null
  const { code, step, item } = error
  return {
    ...(code !== undefined && { code }),
    ...(step !== undefined && { step }),
    ...(item !== undefined && { item }),
  }
}
