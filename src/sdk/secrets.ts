// What applications do with secrets: write them, list them, remove them. Only a step gets a value.
import { type Cipher, isEnvelope } from '../core/encryption.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { keysVariable } from '../core/key-ring.ts'
import type { Caller } from '../db/call.ts'
import type { SealedSecretRow } from '../db/sealed.ts'
import {
  listSecrets,
  removeSecret,
  type SecretRow,
  type SecretSource,
  type SecretWrite,
  writeSecret,
} from '../db/secrets.ts'

/** Where a value lies: encrypted in our own table, in an environment variable of the workers, or in AWS Secrets Manager. */
export type SecretPlace =
  | { readonly value: string }
  | { readonly environment: string }
  /** The name or ARN; with `#key` at its end, the text under that key of a JSON object. */
  | { readonly aws: string }

export interface SecretOptions {
  /** How old it may become before `millrace doctor`, and the history of runs that read it, say so. */
  readonly maxAge?: Duration
  /** The version on which the change was decided; 0 where there was none. */
  readonly ifVersion?: number
}

/** A secret, without its value. */
export interface SecretInfo {
  readonly name: string
  readonly source: SecretSource
  readonly reference: string | null
  readonly version: number
  readonly maxAgeSeconds: number | null
  readonly changedAt: Date
  readonly overdue: boolean
  readonly lastRead: { readonly at: Date; readonly run: string; readonly step: string } | null
}

const namePattern = /^[A-Za-z][A-Za-z0-9_./-]{0,199}$/
const secretLengthMin = 4
const secretLengthMax = 65_536
const writesMax = 5

export class Secrets {
  readonly #caller: () => Promise<Caller>
  readonly #cipher: () => Cipher | undefined

  constructor(caller: () => Promise<Caller>, cipher: () => Cipher | undefined) {
    this.#caller = caller
    this.#cipher = cipher
  }

  /** Writes a secret, or its next version. @throws MillraceError secret_invalid, encryption_key_missing, revision_conflict */
  async set(
    name: string,
    place: SecretPlace,
    options: SecretOptions = {},
  ): Promise<{ readonly version: number }> {
    checkName(name)
    const maxAgeSeconds =
      options.maxAge === undefined
        ? null
        : Math.ceil(durationMs(options.maxAge, 'The maxAge of a secret') / 1_000)
    const head = { name, maxAgeSeconds, overlapSeconds: null }
    return writeNext(await this.#caller(), this.#cipher(), head, place, options.ifVersion)
  }

  /**
   * Writes the next version of a secret that there is: with a value where it lies in our own table; without one where it lies outside, and was
   * changed there.
   *
   * @throws MillraceError secret_unknown, secret_invalid, revision_conflict
   */
  async rotate(
    name: string,
    value?: string,
    options: Pick<SecretOptions, 'ifVersion'> = {},
  ): Promise<{ readonly version: number }> {
    const found = await find(await this.#caller(), name)
    if (found === undefined) throw unknown(name)
    if (found.source === 'table') {
      if (value === undefined) throw invalid(name, 'no value: its next one must be given')
      return this.set(name, { value }, options)
    }
    if (value !== undefined) throw invalid(name, `its value in ${found.reference}: change it there`)
    const reference = found.reference ?? ''
    return this.set(name, found.source === 'aws' ? { aws: reference } : { environment: reference }, options)
  }

  async list(): Promise<SecretInfo[]> {
    return (await listSecrets(await this.#caller())).map(infoOf)
  }

  /** True where there was one. */
  async remove(name: string): Promise<boolean> {
    return removeSecret(await this.#caller(), name)
  }
}

/** Writes the next version of a secret, or its first; a value is encrypted before anything is written. @throws MillraceError as Secrets.set */
export async function writeNext(
  caller: Caller,
  cipher: Cipher | undefined,
  head: Pick<SecretWrite, 'name' | 'maxAgeSeconds' | 'overlapSeconds'>,
  place: SecretPlace,
  ifVersion?: number,
): Promise<{ readonly version: number }> {
  const { name } = head
  for (let write = 1; ; write++) {
    const standing = (await find(caller, name))?.version ?? 0
    refuseOther(name, standing, ifVersion)
    const version = standing + 1
    try {
      await writeSecret(caller, rowOf(cipher, { ...head, version }, place))
      return { version }
    } catch (error) {
      // Somebody else wrote it in between: the value belongs to a version, so it is encrypted anew.
      const taken = error instanceof MillraceError && error.code === 'secret_changed'
      if (!taken || write >= writesMax) throw error
    }
  }
}

async function find(caller: Caller, name: string): Promise<SecretRow | undefined> {
  return (await listSecrets(caller)).find((row) => row.name === name)
}

function rowOf(
  cipher: Cipher | undefined,
  head: Omit<SecretWrite, 'source' | 'reference' | 'value'>,
  place: SecretPlace,
): SecretWrite {
  const { name, version } = head
  if ('environment' in place)
    return { ...head, source: 'environment', reference: checkReference(name, place.environment), value: null }
  if ('aws' in place)
    return { ...head, source: 'aws', reference: checkReference(name, place.aws), value: null }
  checkValue(name, place.value)
  if (cipher === undefined) {
    throw new MillraceError(
      'encryption_key_missing',
      `Secret '${name}' can't be kept without a key: neither encryptionKeys nor ${keysVariable} gives one.`,
      { hint: `Make one, and keep it: export ${keysVariable}="k1:$(openssl rand -base64 32)"` },
    )
  }
  const value = cipher.seal('secrets', fieldOf(name, version), JSON.stringify(place.value))
  return { ...head, source: 'table', reference: null, value }
}

/** The value of a secret of our own table. @throws MillraceError encryption_key_missing, decryption_failed */
export function openSecret(cipher: Cipher, { name, version, value }: SealedSecretRow): string {
  if (!isEnvelope(value)) throw invalid(name, 'a value that is not encrypted')
  return JSON.parse(cipher.open('secrets', fieldOf(name, version), value)) as string
}

export function resealSecret(cipher: Cipher, row: SealedSecretRow): string {
  return cipher.seal('secrets', fieldOf(row.name, row.version), JSON.stringify(openSecret(cipher, row)))
}

/** @throws MillraceError secret_invalid for what could not be found again in a log line without finding it everywhere */
export function checkValue(name: string, value: string): void {
  if (typeof value !== 'string' || value.length < secretLengthMin)
    throw invalid(name, `a value of less than ${secretLengthMin} characters`)
  if (value.length > secretLengthMax)
    throw invalid(name, `a value of more than ${secretLengthMax} characters`)
  if (value.includes('\u0000')) throw invalid(name, 'a NUL character in its value')
}

export function unknown(name: string): MillraceError {
  return new MillraceError('secret_unknown', `There is no secret '${name.slice(0, 200)}'.`, {
    fields: { name },
  })
}

function refuseOther(name: string, standing: number, seen: number | undefined): void {
  if (seen === undefined || seen === standing) return
  throw new MillraceError(
    'revision_conflict',
    `Secret '${name}' was changed since: you saw its version ${seen}, and it is at ${standing}.`,
    { fields: { secret: name, seen, revision: standing }, hint: 'Look at it again, and decide anew.' },
  )
}

function checkName(name: string): void {
  if (namePattern.test(name)) return
  throw invalid(
    name.slice(0, 200),
    'a name that is not a letter, then letters, digits and _ . / -, at most 200',
  )
}

function checkReference(name: string, reference: string): string {
  if (reference !== '' && reference.length <= 2_048) return reference
  throw invalid(name, 'no place where its value lies')
}

function fieldOf(name: string, version: number): string {
  return `secret/${name}/${version}`
}

function invalid(name: string, problem: string): MillraceError {
  return new MillraceError('secret_invalid', `Secret '${name}' has ${problem}.`, { fields: { name } })
}

function infoOf(row: SecretRow): SecretInfo {
  const { name, source, reference, version, max_age_seconds, changed_at, is_overdue } = row
  const { last_read_at: at, last_read_run: run, last_read_step: step } = row
  return {
    name,
    source,
    reference,
    version,
    maxAgeSeconds: max_age_seconds,
    changedAt: changed_at,
    overdue: is_overdue,
    lastRead: at === null || run === null || step === null ? null : { at, run, step },
  }
}
