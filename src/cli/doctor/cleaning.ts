// Owns what a doctor looks at in the server's own housekeeping: who keeps it from cleaning up, multixacts, and its queue of notifications.
import { count, durationWords, grouped } from '../../core/wording.ts'
import type { CleaningFacts, CleaningHolder } from '../../db/cleaning.ts'
import { type Finding, ok, warn } from './finding.ts'

/** Longer transactions are told of, and standbys and slots that are behind by so many. */
const secondsTold = 300
const transactionsTold = 1_000_000
const walBytesTold = 2 ** 30
const notifyShareTold = 0.1
const megabyte = 2 ** 20

/** F1 F2 F7: dead rows stay for as long as somebody may still see them, and then each look costs more. */
export function checkCleaning({
  holders,
  multixact_age,
  multixact_age_max,
  notify_share,
}: CleaningFacts): Finding {
  const holder = holders.find(isTold)
  if (holder !== undefined) return warn('cleaning', holderWords(holder), remedies[holder.kind](holder))
  if (multixact_age >= multixact_age_max)
    return warn(
      'cleaning',
      `${grouped(multixact_age)} multixacts of this database are not cleaned up; the server begins by force at ${grouped(multixact_age_max)}.`,
      'See that autovacuum runs and nothing holds it up, then: vacuum (freeze) millrace.run',
    )
  if (notify_share >= notifyShareTold)
    return warn(
      'cleaning',
      `The queue of notifications is full to ${Math.round(notify_share * 100)} %: a listener does not read, or stays in a transaction.`,
      "End it: select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'",
    )
  return ok('cleaning', `Nothing keeps old rows; ${grouped(multixact_age)} multixacts`)
}

function isTold({ kind, seconds, transactions, wal_bytes }: CleaningHolder): boolean {
  if (kind === 'transaction' || kind === 'prepared') return (seconds ?? 0) >= secondsTold
  return transactions >= transactionsTold || (wal_bytes ?? 0) >= walBytesTold
}

function holderWords({ kind, name, pid, seconds, transactions, wal_bytes }: CleaningHolder): string {
  const since = `, for ${durationWords((seconds ?? 0) * 1_000)}`
  const behind = ` ${count(transactions, 'transaction', 'transactions')} old`
  const wal = wal_bytes === null ? '' : ` and ${grouped(Math.round(wal_bytes / megabyte))} MB of WAL`
  switch (kind) {
    case 'transaction':
      return `A transaction of ${name}, pid ${pid}, keeps old rows from being removed${since}.`
    case 'prepared':
      return `The prepared transaction ${name} keeps old rows from being removed${since}.`
    case 'slot':
      return `The replication slot ${name}, ${pid === null ? 'which nobody reads' : `read by pid ${pid}`}, keeps rows that are${behind}${wal}.`
    case 'standby':
      return `The standby ${name}, pid ${pid}, keeps rows that are${behind}, by hot_standby_feedback.`
  }
}

const remedies: Readonly<Record<CleaningHolder['kind'], (holder: CleaningHolder) => string>> = {
  transaction: ({ pid }) =>
    `See what it does, and end it where that is right: select pg_terminate_backend(${pid})`,
  prepared: ({ name }) => `End it with: commit prepared '${name}', or: rollback prepared '${name}'`,
  slot: ({ name }) => `Let its reader go on, or give it up: select pg_drop_replication_slot('${name}')`,
  standby: () => 'End long queries on the standby, or set max_standby_streaming_delay there.',
}
