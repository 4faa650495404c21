// What a step that is run again asks for, held against what is stored: each operation by its name, and in its place where that is sure.
import { MillraceError } from '../core/errors.ts'
import type { CheckpointKind } from '../core/state.ts'

/** A result that is stored, in the order in which they were. */
export interface StoredResult {
  readonly name: string
  readonly place: number
  readonly kind: string
  readonly value: unknown
  readonly error: unknown
}

interface Kept extends StoredResult {
  /** Which of the stored results it is, from 0: they are given out again in this order. */
  readonly order: number
}

export interface Operation {
  readonly kind: CheckpointKind
  readonly name: string
  /** Which it is in the handler's order; those that were open together have the number of the first. */
  readonly number: number
  /** Another one was open while this one was: then their order says nothing. */
  accompanied: boolean
}

/** The place of an operation as it is stored: even where it was alone, odd where it was not. */
export function placeOf({ number, accompanied }: Operation): number {
  return number * 2 + (accompanied ? 1 : 0)
}

export interface Asked {
  readonly operation: Operation
  readonly stored: StoredResult | undefined
  /** What was asked for in this place before, alone, and is not asked for now. */
  readonly doubt: MillraceError | undefined
}

export class Replay {
  readonly #step: string
  readonly #stored: ReadonlyMap<string, Kept>
  /** Those that were alone, by their numbers. */
  readonly #alone = new Map<number, Kept>()
  readonly #asked = new Set<string>()
  /** The greatest number of a stored result. */
  readonly #last: number
  /** Something is done again that had failed before, and was gone on from: from there it may go another way. */
  #diverges = false
  readonly #pending: Array<{ readonly order: number; readonly give: () => void }> = []
  #number = -1

  constructor(step: string, stored: readonly StoredResult[]) {
    this.#step = step
    const kept = new Map<string, Kept>()
    for (const [order, result] of stored.entries())
      if (!kept.has(result.name)) kept.set(result.name, { ...result, order })
    this.#stored = kept
    this.#last = stored.reduce((last, { place }) => Math.max(last, place >> 1), -1)
    for (const result of this.#stored.values())
      if (wasAlone(result) && !this.#alone.has(result.place / 2)) this.#alone.set(result.place / 2, result)
  }

  /**
   * An operation begins.
   *
   * @param alone whether no other is open
   * @throws MillraceError durable_name_taken, replay_mismatch
   */
  ask(kind: CheckpointKind, name: string, alone: boolean): Asked {
    if (this.#asked.has(name)) throw nameTaken(this.#step, name)
    this.#asked.add(name)
    const stored = this.#stored.get(name)
    if (stored !== undefined && stored.kind !== kind) throw this.#otherKind(kind, stored)
    if (alone) this.#number++
    const doubt = alone ? this.#doubt(kind, name, stored) : undefined
    if (stored === undefined && doubt === undefined && this.#number < this.#last) this.#diverges = true
    // Timing may have set apart what was together, or the other way round: it goes on from where the stored one was.
    if (alone && stored !== undefined) this.#number = stored.place >> 1
    const operation = { kind, name, number: Math.max(this.#number, 0), accompanied: !alone }
    return { operation, stored, doubt }
  }

  /** Calls back in a later turn, in the order of the stored results: whatever won a race before wins it again. */
  give(stored: StoredResult, give: () => void): void {
    this.#pending.push({ order: (stored as Kept).order, give })
    if (this.#pending.length === 1) setImmediate(() => this.#giveNext())
  }

  #giveNext(): void {
    let first = 0
    this.#pending.forEach(({ order }, index) => {
      if (order < this.#pending[first]!.order) first = index
    })
    const [next] = this.#pending.splice(first, 1)
    // What it leads to may ask for an earlier one: so one a turn.
    if (this.#pending.length > 0) setImmediate(() => this.#giveNext())
    next?.give()
  }

  /** The handler has ended. @throws MillraceError replay_mismatch for a stored result that it never asked for */
  end(): void {
    if (this.#diverges) return
    for (const { name, kind, place } of this.#stored.values()) {
      if (this.#asked.has(name)) continue
      throw this.#mismatch(
        `it ended without asking for ${kind} '${name}', whose result is stored at place ${place >> 1}`,
        { stored: name, place: place >> 1 },
      )
    }
  }

  #doubt(kind: string, name: string, stored: Kept | undefined): MillraceError | undefined {
    const place = this.#number
    const expected = this.#alone.get(place)
    if (expected === undefined || this.#diverges || this.#asked.has(expected.name)) return undefined
    // It was one of several that were open together: their order says nothing.
    if (stored !== undefined && !wasAlone(stored)) return undefined
    return this.#mismatch(
      `it asks for ${kind} '${name}' at place ${place}, where the result of ${expected.kind} '${expected.name}' is stored`,
      { asked: name, stored: expected.name, place },
    )
  }

  #otherKind(kind: string, { name, place, kind: before }: StoredResult): MillraceError {
    return this.#mismatch(
      `it asks for ${kind} '${name}', where the result of a ${before} is stored under that name`,
      { asked: name, stored: name, place: place >> 1 },
    )
  }

  #mismatch(what: string, fields: Readonly<Record<string, unknown>>): MillraceError {
    return new MillraceError(
      'replay_mismatch',
      `Step '${this.#step}' is run again and does not do the same: ${what}.`,
      { fields: { step: this.#step, ...fields } },
    )
  }
}

function wasAlone({ place }: StoredResult): boolean {
  return place % 2 === 0
}

function nameTaken(step: string, name: string): MillraceError {
  return new MillraceError(
    'durable_name_taken',
    `Two durable operations of step '${step}' are named '${name}'.`,
    { fields: { step, name } },
  )
}
