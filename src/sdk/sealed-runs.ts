// What a client encrypts and decrypts: the inputs of its starts, and the outputs, errors and parts that it reads of runs.
import { randomBytes } from 'node:crypto'
import { type Beside, Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import type { Graph } from '../core/graph.ts'
import { createKeyRing, keysOfText, keysVariable } from '../core/key-ring.ts'
import { type FieldKind, noKeyFor, RunCipher } from '../core/run-cipher.ts'
import type { Caller } from '../db/call.ts'
import { runEncryption } from '../db/sealed.ts'

/** The keys by their ids, each 32 bytes in base64: the first encrypts, all decrypt. */
export type EncryptionKeys = Readonly<Record<string, string>>

/**
 * What encrypts in this process; undefined where no key is given, neither here nor in MILLRACE_ENCRYPTION_KEYS.
 *
 * @throws MillraceError encryption_key_invalid
 */
export function createCipher(
  keys: EncryptionKeys | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Cipher | undefined {
  const ring = createKeyRing(keys ?? keysOfText(environment[keysVariable]))
  return ring === undefined ? undefined : new Cipher(ring, (bytes) => randomBytes(bytes))
}

interface StartInput {
  readonly id: string
  readonly slug: string
  /** The input, as JSON text. */
  readonly text: string
  readonly encrypt: Graph['encrypt']
  readonly options: { readonly idempotencyKey?: string; readonly runId?: string; readonly tenant?: string }
}

/** The input as it is stored, as JSON text. @throws MillraceError encryption_key_missing */
export function sealedInput(start: StartInput, cipher: Cipher | undefined): string {
  const { id, slug, text, encrypt, options } = start
  if (encrypt === undefined) return text
  if (cipher === undefined) throw ringMissing(slug)
  const again = options.idempotencyKey ?? options.runId
  const value: unknown = encrypt.clear.length > 0 || again !== undefined ? JSON.parse(text) : undefined
  const beside: Beside = {
    ...(encrypt.clear.length > 0 && { clear: pickPaths(value, encrypt.clear) }),
    ...(again !== undefined && {
      digests: cipher.digests(JSON.stringify([slug, options.tenant ?? null, again]), value),
    }),
  }
  return new RunCipher(cipher, id).sealInput(text, beside)
}

/** @returns the error for an encrypted pipeline in a process without a key */
export function ringMissing(slug: string): MillraceError {
  return new MillraceError(
    'encryption_key_missing',
    `The pipeline '${slug}' is encrypted, and no key is given: neither encryptionKeys nor ${keysVariable}.`,
    { fields: { pipeline: slug } },
  )
}

/** The part of a value that lies at these paths, at the same paths. */
function pickPaths(value: unknown, paths: ReadonlyArray<readonly string[]>): unknown {
  const picked: Record<string, unknown> = {}
  for (const path of paths) {
    let from: unknown = value
    for (const name of path)
      from =
        typeof from === 'object' && from !== null && Object.hasOwn(from, name)
          ? Reflect.get(from, name)
          : undefined
    if (from === undefined) continue
    let into = picked
    for (const name of path.slice(0, -1)) {
      const below = Object.hasOwn(into, name) ? into[name] : undefined
      const next = typeof below === 'object' && below !== null ? (below as Record<string, unknown>) : {}
      define(into, name, next)
      into = next
    }
    define(into, path.at(-1)!, from)
  }
  return picked
}

/** Also where the name is __proto__. */
function define(into: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true })
}

/** How a client reads what is stored of encrypted runs; what is not encrypted costs nothing. */
export class SealedRuns {
  readonly #caller: Caller
  readonly #cipher: Cipher | undefined

  constructor(caller: Caller, cipher: Cipher | undefined) {
    this.#caller = caller
    this.#cipher = cipher
  }

  /** @throws MillraceError encryption_key_missing, decryption_failed */
  async output(runId: string, output: unknown): Promise<unknown> {
    return (await this.outputs([{ runId, output }]))[0]
  }

  /** Of several runs at once, each in its place. */
  async outputs(
    ended: ReadonlyArray<{ readonly runId: string; readonly output: unknown }>,
  ): Promise<unknown[]> {
    const missing = ended.map(({ output }) => noKeyFor(output, 'output'))
    const sealedIds = ended.filter((_, index) => missing[index] !== undefined).map(({ runId }) => runId)
    if (sealedIds.length === 0) return ended.map(({ output }) => output)
    const known = new Map((await runEncryption(this.#caller, sealedIds)).map((row) => [row.run_id, row]))
    const opened: unknown[] = []
    for (const [index, { runId, output }] of ended.entries()) {
      const row = known.get(runId)
      const error = missing[index]
      if (error === undefined || row?.is_encrypted !== true) opened.push(output)
      else {
        const cipher = this.#of(runId, error)
        opened.push(cipher.openRunOutput(row.last_steps, output))
      }
    }
    return opened
  }

  /** The error of a run, or of a step of it; as it is where there is no key: its code says something all the same. */
  async error(runId: string, error: unknown): Promise<unknown> {
    if (this.#cipher === undefined || noKeyFor(error, 'error') === undefined) return error
    const { step = '', item = -1 } = error as { step?: string; item?: number }
    const cipher = new RunCipher(this.#cipher, runId)
    return cipher.openError(step, item, error)
  }

  async input(runId: string, input: unknown): Promise<unknown> {
    const missing = noKeyFor(input, 'input')
    if (missing === undefined) return input
    const [known] = await runEncryption(this.#caller, [runId])
    if (known?.is_encrypted !== true) return input
    const cipher = this.#of(runId, missing)
    return cipher.openInput(input)
  }

  async said(
    kind: FieldKind,
    runId: string,
    place: { step: string; item: number },
    value: unknown,
  ): Promise<unknown> {
    const missing = noKeyFor(value, kind)
    if (missing === undefined) return value
    const [known] = await runEncryption(this.#caller, [runId])
    if (known?.is_encrypted !== true) return value
    const cipher = this.#of(runId, missing)
    return cipher.open(kind, place.step, place.item, value)
  }

  #of(runId: string, missing: Error): RunCipher {
    if (this.#cipher === undefined) throw missing
    return new RunCipher(this.#cipher, runId)
  }
}
