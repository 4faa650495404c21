// The SQL functions that look into pg_cron, and take a cron job over.
import type { CronBook } from '../core/cron-jobs.ts'
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

/** The cron jobs, of each so many of the last runs, and the answers that pg_net keeps. @throws MillraceError cron_unavailable */
export async function readCronJobs(caller: Caller, runs: number): Promise<CronBook> {
  const rows = await caller.call<{ book: CronBook }>(
    { name: 'millrace_read_cron_jobs', text: 'select millrace.read_cron_jobs($1) as book' },
    [runs],
  )
  return rows[0]!.book
}

export interface CronJobTaken {
  readonly id: number
  /** Its cadence as it was read: one that was changed meanwhile is not taken over. */
  readonly seenSchedule: string
  readonly name: string
  readonly slug: string
  /** Of the new schedule. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Whether pg_cron runs it no more. */
  readonly disable: boolean
}

/** Answers the revision of the new schedule. @throws MillraceError cron_job_changed, pipeline_unknown, schedule_invalid */
export async function adoptCronJob(caller: Caller, taken: CronJobTaken): Promise<number> {
  const rows = await retryTransaction(() =>
    caller.call<{ revision: number }>(
      {
        name: 'millrace_adopt_cron_job',
        text: 'select millrace.adopt_cron_job($1::bigint, $2, $3, $4, $5::jsonb, $6) as revision',
      },
      [taken.id, taken.seenSchedule, taken.name, taken.slug, JSON.stringify(taken.settings), taken.disable],
    ),
  )
  return rows[0]!.revision
}
