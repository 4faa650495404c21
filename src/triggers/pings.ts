// Tells addresses outside how the firings of schedules go, so that somebody notices when all of this is down. The convention is that of healthchecks.io
// (its documentation, Pinging API): the address itself is a success, /start and /fail say the rest, rid is the run, the body a reason.
import { MillraceError } from '../core/errors.ts'
import { durationWords } from '../core/wording.ts'
import type { Caller } from '../db/call.ts'
import { type DuePing, type PingFault, settlePing, takePings } from '../db/pings.ts'
import type { SafeFetch } from '../net/safe-fetch.ts'
import type { AllowedTargets } from '../net/target.ts'
import type { TriggerTask } from './trigger-work.ts'

export interface PingRoom {
  /** For short transactions that write. */
  readonly caller: Caller
  readonly allowTargets: AllowedTargets
  readonly fetch: SafeFetch
  /** The value of a secret. Throws secret_unknown, secret_unavailable and their like. */
  readonly readSecret: (name: string) => Promise<string>
}

const batch = 20
const timeout_ms = 5_000
/** Longer than all of a batch may take, were they of one schedule. */
const lease_seconds = 120

export function pingTask(room: PingRoom): TriggerTask {
  return async () => {
    const due = await takePings(room.caller, { leaseSeconds: lease_seconds, limit: batch })
    const schedules = [...new Set(due.map(({ schedule_id }) => schedule_id))]
    await Promise.all(
      schedules.map((id) =>
        sendInTurn(
          room,
          due.filter(({ schedule_id }) => schedule_id === id),
        ),
      ),
    )
    return due.length === batch
  }
}

/** The start of a firing before its end. */
async function sendInTurn(room: PingRoom, pings: readonly DuePing[]): Promise<void> {
  for (const ping of pings) await settlePing(room.caller, ping, await send(room, ping))
}

async function send(room: PingRoom, ping: DuePing): Promise<PingFault | undefined> {
  try {
    const address = ping.ping_url ?? (await room.readSecret(ping.ping_secret ?? ''))
    const { status } = await room.fetch(pingUrl(address, ping), {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'millrace' },
      body: pingWords(ping),
      timeoutMs: timeout_ms,
      ignoreBody: true,
      allow: room.allowTargets,
    })
    if (status >= 200 && status < 300) return undefined
    const isFinal = status >= 300 && status < 500 && status !== 408 && status !== 429
    return { code: 'answer_refused', message: `It answered ${status}.`, isFinal }
  } catch (error) {
    // Whatever it is, the next ping may fare better; only an address that may never be called is given up at once.
    if (!(error instanceof MillraceError))
      return { code: 'ping_failed', message: 'It could not be sent.', isFinal: false }
    return { code: error.code, message: error.message, isFinal: error.code === 'target_refused' }
  }
}

/** Where a signal goes: beside the address's own path and query. */
export function pingUrl(address: string, { signal, run_id }: Pick<DuePing, 'signal' | 'run_id'>): URL {
  if (!URL.canParse(address)) throw new MillraceError('target_refused', 'The address to be pinged is no URL.')
  const url = new URL(address)
  if (signal !== 'success') url.pathname = `${url.pathname.replace(/\/+$/, '')}/${signal}`
  if (run_id !== null) url.searchParams.set('rid', run_id)
  return url
}

/** A reason in a line. Messages of errors stay inside: the address is somebody else's. */
function pingWords(ping: DuePing): string {
  const late = ping.late_ms < 1_000 ? '' : `, ${durationWords(ping.late_ms)} late`
  const which = `Schedule '${ping.schedule}', slot ${ping.slot_at.toISOString()}${late}:`
  if (ping.signal === 'start') return `${which} started.`
  if (ping.signal === 'success') return `${which} ${ping.state}.`
  if (ping.is_overdue && ping.reason === null && ping.state !== 'unverified')
    return `${which} overdue, still ${ping.state}.`
  const why = [ping.reason, ping.error_code].filter((part) => part !== null).join(', ')
  return `${which} ${ping.state}${why === '' ? '' : ` (${why})`}.`
}
