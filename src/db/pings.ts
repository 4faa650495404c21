// The SQL functions of pings: what addresses outside are still to be told of schedules.
import type { Caller } from './call.ts'
import { retryTransaction } from './transaction.ts'

export interface DuePing {
  /** Another one for each firing. */
  readonly id: string
  readonly schedule_id: string
  readonly kind: 'start' | 'end'
  readonly signal: 'start' | 'success' | 'fail'
  readonly schedule: string
  /** Either the address itself, or the secret that holds it. */
  readonly ping_url: string | null
  readonly ping_secret: string | null
  readonly run_id: string | null
  readonly slot_at: Date
  readonly late_ms: number
  readonly state: string
  readonly reason: string | null
  readonly error_code: string | null
  readonly is_overdue: boolean
}

/** What is to be sent now, of each schedule the start before the end; the caller's until the lease has passed. */
export function takePings(
  caller: Caller,
  { leaseSeconds, limit }: { readonly leaseSeconds: number; readonly limit: number },
): Promise<DuePing[]> {
  return retryTransaction(() =>
    caller.call<DuePing>(
      {
        name: 'millrace_take_pings',
        text: `select id::text as id, schedule_id::text as schedule_id, kind, signal, schedule, ping_url, ping_secret, run_id, slot_at,
          late_ms::float8 as late_ms, state, reason, error_code, is_overdue from millrace.take_pings($1, $2)`,
      },
      [leaseSeconds, limit],
    ),
  )
}

export interface PingFault {
  readonly code: string
  readonly message: string
  /** No other try would end better. */
  readonly isFinal: boolean
}

/** What sending it came to; one that failed is sent again later, a few times. */
export async function settlePing(
  caller: Caller,
  ping: Pick<DuePing, 'id' | 'schedule_id' | 'kind'>,
  fault: PingFault | undefined,
): Promise<void> {
  const error =
    fault === undefined ? null : JSON.stringify({ code: fault.code, message: fault.message.slice(0, 500) })
  await retryTransaction(() =>
    caller.call(
      {
        name: 'millrace_settle_ping',
        text: 'select millrace.settle_ping($1::bigint, $2, $3::bigint, $4::jsonb, $5)',
      },
      [ping.schedule_id, ping.kind, ping.id, error, fault?.isFinal ?? false],
    ),
  )
}
