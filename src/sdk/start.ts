// Starts: their options, their answers, and what is sent of one.
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import type { Graph } from '../core/graph.ts'
import { checkJson } from '../core/json.ts'
import { isUuid } from '../core/uuid.ts'
import type { Transaction } from '../db/call.ts'
import type { CallbackRow } from '../db/callbacks.ts'
import type { StartRow } from '../db/runs.ts'
import type { AllowedTargets } from '../net/target.ts'
import { type CallbackOptions, callbackRows } from './callback.ts'
import { knownRunKey, runKeyText } from './run-key.ts'
import { sealedInput } from './sealed-runs.ts'
import type { StartedRun } from './startable.ts'

export interface StartOptions {
  /** The start belongs to this transaction: it commits and rolls back with it. */
  readonly tx?: Transaction
  /** From 1, first, to 9, last; 5 by default. */
  readonly priority?: number
  /** Not before this time. */
  readonly availableAt?: Date
  /** Same key within its lifetime: same run; with another input: an error. */
  readonly idempotencyKey?: string
  /** Seconds that the key lives; a day by default. */
  readonly idempotencySeconds?: number
  readonly tenant?: string
  /** Carried along, never interpreted. */
  readonly headers?: Readonly<Record<string, string>>
  /** Who is told of the end of the run that this start creates, signed by Standard Webhooks. */
  readonly callback?: CallbackOptions | readonly CallbackOptions[]
  /** A version 7 UUID of the caller's own: the same id is the same start. */
  readonly runId?: string
}

/** What a start answers: the new run, or why there is none, with the run that stands in its place. */
export type StartAnswer =
  | { readonly created: true; readonly run: StartedRun }
  | {
      readonly created: false
      readonly reason: 'live' | 'repeated' | 'coalesced'
      readonly run: StartedRun
      /** The rule on starts that says so, where it is one. */
      readonly rule?: string
    }
  /** By this rule on starts; with the time at which it would pass, where that is known. */
  | {
      readonly created: false
      readonly reason: 'limit'
      readonly run: null
      readonly rule: string
      readonly passesAt: Date | null
    }
  | {
      readonly created: false
      readonly reason: 'paused'
      readonly run: null
      /** Since when and why its pipeline or run key is paused, and what lets it go on. */
      readonly why: string
    }

/** What a run says that started it. */
export type StartVia = 'sdk' | 'http'

/** One start on its way: the row, and what a hand-over needs of it. */
export interface PendingStart {
  readonly row: StartRow
  readonly headers: Record<string, string> | null
  /** The run key; undefined where only the database knows it. */
  readonly key: string | null | undefined
  /** What it has in common with other starts of its run key; null where it has none, as far as is known. */
  readonly keyText: string | null
  /** How many steps begin at once. */
  readonly entries: number
  /** Whether its id is the caller's own. */
  readonly givenId: boolean
  /** The input in the clear, as JSON text. */
  readonly clearInput: string
  readonly callbacks: readonly CallbackRow[]
}

/** The row of one start. @throws MillraceError json_invalid, json_too_large, start_option_invalid, encryption_key_missing, callback_invalid, target_refused */
export function pendingStart(
  start: {
    readonly slug: string
    readonly version: number | null
    readonly id: string
    readonly input: unknown
    /** The graph of the version, where it is known here. */
    readonly graph?: Graph
    /** How it is encrypted and what its run key is, where that is all that is known of its graph. */
    readonly encrypt?: Graph['encrypt'] | null
    readonly key?: Graph['key']
  },
  given: StartOptions,
  cipher?: Cipher,
  allowTargets?: AllowedTargets,
): PendingStart {
  checkOptions(start.slug, given)
  const options = inSmallLetters(given)
  const text = checkJson(start.input, { what: `the input of pipeline '${start.slug}'` })
  const headers = options.headers === undefined ? null : { ...options.headers }
  const id = options.runId ?? start.id
  const encrypt = start.graph?.encrypt ?? start.encrypt ?? undefined
  return {
    headers,
    key: start.graph && knownRunKey(start.input, start.graph.key),
    keyText: runKeyText(start.input, start.graph?.key ?? start.key ?? []),
    givenId: options.runId !== undefined,
    clearInput: text,
    callbacks: callbackRows(`The start of '${start.slug}'`, options.callback, allowTargets),
    entries: start.graph?.steps.filter(({ after }) => after.length === 0).length ?? 1,
    row: {
      id,
      slug: start.slug,
      version: start.version,
      input: sealedInput({ id, slug: start.slug, text, encrypt, options }, cipher),
      priority: options.priority ?? null,
      tenant: options.tenant ?? null,
      headers: headers === null ? null : checkJson(headers, { what: 'the headers', maxBytes: 16_384 }),
      availableAt: options.availableAt ?? null,
      idempotencyKey: options.idempotencyKey ?? null,
      idempotencySeconds: options.idempotencySeconds ?? null,
    },
  }
}

function checkOptions(slug: string, options: StartOptions): void {
  const refuse = (option: string, bounds: string) => {
    throw new MillraceError(
      'start_option_invalid',
      `The start of '${slug}' has a ${option} that is not ${bounds}.`,
      {
        fields: { pipeline: slug, option },
      },
    )
  }
  const { priority, availableAt, idempotencyKey, idempotencySeconds, runId, tenant } = options
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 1 && priority <= 9))
    refuse('priority', 'a whole number from 1 to 9')
  if (availableAt !== undefined && !(Math.abs(availableAt.getTime()) < 253_402_300_800_000))
    refuse('availableAt', 'a date before the year 10000')
  if (idempotencyKey !== undefined && (idempotencyKey === '' || idempotencyKey.length > 500))
    refuse('idempotencyKey', 'a text of 1 to 500 characters')
  if (
    idempotencySeconds !== undefined &&
    !(Number.isInteger(idempotencySeconds) && idempotencySeconds >= 1 && idempotencySeconds <= 31_536_000)
  )
    refuse('idempotencySeconds', 'a whole number from 1 to 31,536,000')
  if (runId !== undefined && !isUuid(runId)) refuse('runId', 'a UUID')
  if (tenant !== undefined && (tenant === '' || tenant.length > 200))
    refuse('tenant', 'a text of 1 to 200 characters')
}

/** The run id as the database writes it: answers are found by it, and what is encrypted is bound to it. */
function inSmallLetters(options: StartOptions): StartOptions {
  return options.runId === undefined ? options : { ...options, runId: options.runId.toLowerCase() }
}
