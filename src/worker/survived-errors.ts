// Errors that functions of `durable.run` threw: each is given to the handler in its turn, and kept once the handler has got over it.
import { setImmediate as turn } from 'node:timers/promises'
import { keepError, type KeptError, restoreError } from '../core/kept-error.ts'
import { readSecrets } from './read-secrets.ts'
import type { Operation } from './replay.ts'

interface Given {
  readonly operation: Operation
  readonly kept: KeptError
  readonly error: unknown
}

/** How far behind an error that a handler ends with the one is looked for that it had got over. */
const causesMax = 20

const nothing = () => {}

export class SurvivedErrors {
  readonly #write: (operation: Operation, kept: KeptError) => Promise<unknown>
  readonly #storeStacks: boolean
  /** Given, and not kept yet. */
  #given: Given[] = []
  /** Those that are kept, with the names of their operations. */
  readonly #kept = new Map<unknown, readonly string[]>()
  /** Until the handler has had a turn to fail from the last one. */
  #deciding: Promise<void> | undefined
  #keeping: Promise<void> | undefined
  #closed = false

  constructor(write: (operation: Operation, kept: KeptError) => Promise<unknown>, storeStacks: boolean) {
    this.#write = write
    this.#storeStacks = storeStacks
  }

  /** Whether one is not kept yet, or not given even. */
  get open(): boolean {
    return this.#deciding !== undefined || this.#given.length > 0 || this.#keeping !== undefined
  }

  /** Throws it in its turn: after the results that were on their way to be stored, and after the errors before it. */
  async give(operation: Operation, thrown: unknown, stored: Promise<unknown> | undefined): Promise<never> {
    const before = this.#deciding
    let decide = nothing
    const deciding = new Promise<void>((resolve) => {
      decide = resolve
    })
    this.#deciding = deciding
    await before
    await stored?.catch(nothing)
    await turn()
    const kept = keepError(thrown, {
      stack: this.#storeStacks,
      redact: (text) => readSecrets.redact(text),
    })
    const stack = thrown instanceof Error ? thrown.stack : undefined
    const error = restoreError(kept, stack)
    this.#given.push({ operation, kept, error })
    // All that the error alone leads to is done by then.
    setImmediate(() => {
      if (this.#deciding === deciding) this.#deciding = undefined
      decide()
    })
    throw error
  }

  /** Throws one that an earlier attempt got over. */
  giveAgain(name: string, kept: KeptError): never {
    const error = restoreError(kept)
    this.#remember(error, name)
    throw error
  }

  /** When those that the handler got over are stored. */
  keep(): Promise<void> {
    this.#keeping ??= this.#keepAll().finally(() => {
      this.#keeping = undefined
    })
    return this.#keeping
  }

  async #keepAll(): Promise<void> {
    for (;;) {
      while (this.#deciding !== undefined) await this.#deciding
      // Also those that came while others were being stored: whoever waits may rest on one of them.
      if (this.#closed || this.#given.length === 0) return
      const given = this.#given.splice(0)
      for (const { operation, error } of given) this.#remember(error, operation.name)
      await Promise.all(given.map(({ operation, kept }) => this.#write(operation, kept)))
    }
  }

  /** Two operations may have thrown the same text: then nobody can tell from which the handler fails. */
  #remember(error: unknown, name: string): void {
    this.#kept.set(error, [...(this.#kept.get(error) ?? []), name])
  }

  /** The handler failed: none is kept any more. Answers with the operations whose kept errors it failed from, once those are stored. */
  async close(error: unknown): Promise<string[]> {
    this.#closed = true
    if (this.#kept.size === 0) return []
    await this.#keeping?.catch(nothing)
    const names = new Set<string>()
    for (const one of causesOf(error)) for (const name of this.#kept.get(one) ?? []) names.add(name)
    return [...names]
  }
}

/** An error, what it gives as its causes, and theirs. */
function causesOf(error: unknown): Set<unknown> {
  const causes = new Set([error])
  for (const one of causes) {
    if (typeof one !== 'object' || one === null || causes.size > causesMax) continue
    try {
      const { cause, errors } = one as { cause?: unknown; errors?: unknown }
      if (cause !== undefined) causes.add(cause)
      if (Array.isArray(errors)) for (const each of errors.slice(0, causesMax)) causes.add(each)
    } catch {
      // It can't be read, as a proxy may have it: then it has none.
    }
  }
  return causes
}
