// Owns the one look for all that are followed: however many follow, one statement a second asks what has changed while nothing does.
import { createHash } from 'node:crypto'
import type { Caller } from '../db/call.ts'
import { type Followed, lookAt } from '../db/lookout.ts'
import type { ServerLog } from './server-log.ts'

/** While nothing changes: with what else a server asks now and then, no more than one statement a second. */
const restMs = 1_250
/** After a change, as another one is likely. */
const livelyMs = 200
/** So much longer than a look takes nobody looks again: looking stays a small part of what the database does. */
const restFactor = 10
/** So often a stream on which nothing happens says that it lives, so that nobody between takes it for dead. */
const beatMs = 15_000

/** What is followed; its key says which followers share it. */
export type Subject =
  | { readonly kind: 'run'; readonly key: string; readonly asked: string }
  | { readonly kind: 'list'; readonly key: string; readonly asked: Followed['lists'][number] }
  | { readonly kind: 'queue'; readonly key: string; readonly asked: string }

/** How a subject stands: its value, and a digest of it by which a follower that comes back knows whether it has changed. */
interface Standing {
  readonly value: unknown
  readonly digest: string
}

interface Watched {
  readonly subject: Subject
  readonly followers: Set<WokenFollower>
  text: string | undefined
  standing: Standing | undefined
}

/** One that follows: it is woken by each change, and now and then without one. */
export interface Follower {
  /** Undefined before the first look. */
  readonly standing: Standing | undefined
  /** Resolves at the next change, at the next beat, or when it leaves. */
  next(): Promise<'changed' | 'beat' | 'left'>
  leave(): void
}

export interface LookoutParts {
  /** One that prepares nothing. */
  readonly caller: Caller
  readonly log: ServerLog
}

export class Lookout {
  readonly #parts: LookoutParts
  readonly #watched = new Map<string, Watched>()
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #dueMs = Number.POSITIVE_INFINITY
  #beatDueMs = 0
  #away = false
  #closed = false

  constructor(parts: LookoutParts) {
    this.#parts = parts
  }

  /** How many different things are followed. */
  count(kind: Subject['kind']): number {
    let count = 0
    for (const { subject } of this.#watched.values()) if (subject.kind === kind) count++
    return count
  }

  /** Whether somebody follows it already. */
  has(key: string): boolean {
    return this.#watched.has(key)
  }

  follow(subject: Subject): Follower {
    const watched: Watched = this.#watched.get(subject.key) ?? {
      subject,
      followers: new Set(),
      text: undefined,
      standing: undefined,
    }
    this.#watched.set(subject.key, watched)
    const follower: WokenFollower = new WokenFollower(watched, () => {
      watched.followers.delete(follower)
      if (watched.followers.size === 0 && this.#watched.get(subject.key) === watched)
        this.#watched.delete(subject.key)
    })
    watched.followers.add(follower)
    if (this.#closed) follower.leave()
    else this.#lookWithin(watched.standing === undefined ? 0 : restMs)
    return follower
  }

  /** All that follow leave. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const { followers } of [...this.#watched.values()]) for (const one of [...followers]) one.leave()
  }

  #lookWithin(ms: number): void {
    const due = performance.now() + ms
    if (this.#closed || this.#looking || due >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = due
    this.#timer = setTimeout(() => void this.#look(), ms)
  }

  async #look(): Promise<void> {
    this.#looking = true
    this.#dueMs = Number.POSITIVE_INFINITY
    const began = performance.now()
    const changed = await this.#told().catch((error: unknown) => this.#failed(error))
    this.#looking = false
    this.#beat()
    if (this.#watched.size === 0) return
    const isNew = [...this.#watched.values()].some(({ standing }) => standing === undefined)
    const took = performance.now() - began
    this.#lookWithin(Math.max(changed || (isNew && !this.#away) ? livelyMs : restMs, took * restFactor))
  }

  /** Looks, and wakes whoever follows what has changed; whether anything has. */
  async #told(): Promise<boolean> {
    const watched = [...this.#watched.values()]
    const asked = (kind: Subject['kind']) => watched.filter(({ subject }) => subject.kind === kind)
    const [runs, lists, queues] = [asked('run'), asked('list'), asked('queue')]
    const seen = await lookAt(this.#parts.caller, {
      runs: runs.map(({ subject }) => subject.asked as string),
      lists: lists.map(({ subject }) => subject.asked as Followed['lists'][number]),
      queues: queues.map(({ subject }) => subject.asked as string),
    })
    this.#away = false
    const changes = [
      ...runs.map((one, place) => tell(one, seen.runs[place])),
      ...lists.map((one, place) => tell(one, seen.lists[place])),
      ...queues.map((one, place) => tell(one, seen.queues[place])),
    ]
    return changes.includes(true)
  }

  /** A database that is away is waited for: whoever follows hears no more until it is back. */
  #failed(error: unknown): boolean {
    if (!this.#away && !this.#closed)
      this.#parts.log({
        level: 'warn',
        event: 'lookout.failed',
        code: (error as { code?: unknown }).code,
      })
    this.#away = true
    return false
  }

  #beat(): void {
    const now = performance.now()
    if (now < this.#beatDueMs) return
    this.#beatDueMs = now + beatMs
    for (const { followers } of this.#watched.values()) for (const one of followers) one.wake('beat')
  }
}

/** Whether it stands otherwise than before. */
function tell(watched: Watched, value: unknown): boolean {
  const text = JSON.stringify(value ?? null)
  if (text === watched.text) return false
  watched.text = text
  watched.standing = {
    value: value ?? null,
    digest: createHash('sha256').update(text).digest('base64url').slice(0, 16),
  }
  for (const one of watched.followers) one.wake('changed')
  return true
}

class WokenFollower implements Follower {
  readonly #watched: Watched
  readonly #forget: () => void
  #heard: 'changed' | 'beat' | 'left' | undefined
  #resolve: ((heard: 'changed' | 'beat' | 'left') => void) | undefined

  constructor(watched: Watched, forget: () => void) {
    this.#watched = watched
    this.#forget = forget
  }

  get standing(): Standing | undefined {
    return this.#watched.standing
  }

  next(): Promise<'changed' | 'beat' | 'left'> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#tell()
    })
  }

  wake(heard: 'changed' | 'beat' | 'left'): void {
    // Whoever left hears of nothing else, and a change is not forgotten for a beat.
    if (this.#heard !== 'left' && !(this.#heard === 'changed' && heard === 'beat')) this.#heard = heard
    this.#tell()
  }

  leave(): void {
    this.#forget()
    this.wake('left')
  }

  #tell(): void {
    const [resolve, heard] = [this.#resolve, this.#heard]
    if (resolve === undefined || heard === undefined) return
    this.#resolve = undefined
    if (heard !== 'left') this.#heard = undefined
    resolve(heard)
  }
}
