// Owns what is left out for those who may not see payloads: it stands as null, and the answer says so.
import type { Actor } from '../api/access.ts'
import type { AccountEvent, RunAccount } from '../core/account-data.ts'
import { isEnvelope } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import type { ToldReports } from '../core/reports.ts'
import { RunCipher, shown } from '../core/run-cipher.ts'
import { SealedRuns } from '../sdk/sealed-runs.ts'
import { withoutPayloads } from './event-details.ts'
import type { ServerRoom } from './room.ts'

/** The values, or, for those who may not see them, null in the place of each. */
export function payloadsFor<Values extends Readonly<Record<string, unknown>>>(
  actor: Actor,
  values: Values,
): { [Name in keyof Values]: Values[Name] | null } & { payloads_hidden?: true } {
  if (actor.payloads) return values
  const hidden = Object.fromEntries(Object.keys(values).map((name) => [name, null]))
  return { ...(hidden as { [Name in keyof Values]: null }), payloads_hidden: true }
}

/** How the server reads what is stored of encrypted runs. */
export function sealedRuns({ reads, cipher }: Pick<ServerRoom, 'reads' | 'cipher'>): SealedRuns {
  return new SealedRuns(reads, cipher)
}

/** What is encrypted: opened where the server has the key, else said to be encrypted, and with which key. */
export async function opened(open: () => Promise<unknown>, value: unknown): Promise<unknown> {
  try {
    return await open()
  } catch {
    return shown(value)
  }
}

/** What steps have said while they ran, without what is theirs to word. */
export function reportsFor<Reports extends Pick<ToldReports, 'metadata' | 'progress'>>(
  actor: Actor,
  reports: Reports,
): Reports {
  if (actor.payloads) return reports
  return { ...reports, metadata: {}, progress: reports.progress.map((told) => ({ ...told, note: null })) }
}

/** A start whose idempotency key came with another input says where they differ: that is part of an input as well. */
export async function startFor<Answer>(actor: Actor, start: () => Promise<Answer>): Promise<Answer> {
  try {
    return await start()
  } catch (error) {
    if (actor.payloads || !(error instanceof MillraceError) || error.fields['differences'] === undefined)
      throw error
    const { idempotencyKey, runId } = error.fields
    throw new MillraceError(
      error.code,
      `Idempotency key '${String(idempotencyKey)}' was used with another input, by run ${String(runId)}.`,
      { fields: { idempotencyKey, runId }, hint: error.hint },
    )
  }
}

/** What an encrypted run failed with: opened for those who may see payloads. Whoever may not is told that it is encrypted, in no other words. */
export async function errorFor<Thrown extends object | null>(
  actor: Actor,
  room: Pick<ServerRoom, 'reads' | 'cipher'>,
  run: string,
  error: Thrown,
  place: object = {},
): Promise<Thrown> {
  if (!isEnvelope(error)) return error
  const placed = { ...place, ...error }
  const found = actor.payloads
    ? await sealedRuns(room)
        .error(run, placed)
        .catch(() => placed)
    : placed
  const { $encrypted: _, stack: __, ...told } = found as Record<string, unknown>
  return told as Thrown
}

/** The account of a run, with what of an encrypted one the server has the key for. */
async function openedAccount(
  actor: Actor,
  room: Pick<ServerRoom, 'reads' | 'cipher'>,
  account: RunAccount,
): Promise<RunAccount> {
  const { run, attempts, events } = account
  return {
    ...account,
    run: {
      ...run,
      error: await errorFor(actor, room, run.id, run.error),
      outcome_error: await errorFor(actor, room, run.id, run.outcome_error),
    },
    attempts: {
      ...attempts,
      listed: await Promise.all(
        attempts.listed.map(async (one) => {
          const place = { step: one.step, ...(one.item === null ? {} : { item: one.item }) }
          return { ...one, error: await errorFor(actor, room, run.id, one.error, place) }
        }),
      ),
    },
    events: {
      ...events,
      listed: await Promise.all(events.listed.map((event) => openedEvent(actor, room, run.id, event))),
    },
  }
}

/** An entry of the history, with the fields of a log line, and the error that a redrive went on from. */
async function openedEvent(
  actor: Actor,
  room: Pick<ServerRoom, 'reads' | 'cipher'>,
  run: string,
  event: AccountEvent,
): Promise<AccountEvent> {
  const { kind, step, item, detail } = event
  const { fields, error } = detail
  if (kind === 'step.log' && isEnvelope(fields)) {
    const open = () =>
      room.cipher === undefined
        ? shown(fields)
        : new RunCipher(room.cipher, run).open('log', step!, item ?? -1, fields)
    return { ...event, detail: { ...detail, fields: await opened(async () => open(), fields) } }
  }
  return isEnvelope(error)
    ? { ...event, detail: { ...detail, error: await errorFor(actor, room, run, error) } }
    : event
}

/** The account of a run; for those who may not see payloads without what its handlers stored, logged and were given, and what was looked up of it. */
export async function accountFor(
  actor: Actor,
  room: Pick<ServerRoom, 'reads' | 'cipher'>,
  stored: RunAccount,
): Promise<RunAccount & { payloads_hidden?: true }> {
  const account = await openedAccount(actor, room, stored)
  if (actor.payloads) return account
  return {
    ...account,
    ...reportsFor(actor, account),
    lineage: lineageFor(actor, account.lineage),
    events: {
      ...account.events,
      listed: account.events.listed.map(withoutPayloads),
    },
    payloads_hidden: true,
  }
}

/** Where the input of a run made of another one differs is part of the input. */
export function lineageFor(actor: Actor, lineage: RunAccount['lineage']): RunAccount['lineage'] {
  if (actor.payloads || lineage.of === null) return lineage
  return { ...lineage, of: { ...lineage.of, difference: null } }
}
