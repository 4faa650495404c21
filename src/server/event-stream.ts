// Owns server-sent events on the wire: their form, how many streams there may be, and that a slow reader holds up nobody and nothing piles up for it.
import type { Actor } from '../api/access.ts'
import { MillraceError } from '../core/errors.ts'

/** One event: its name, the id by which a client goes on after it, and its data. */
export interface StreamEvent {
  readonly event: string
  readonly id: string
  readonly data: unknown
}

/** Says that the stream lives. */
export const beat = Symbol('beat')

/** Event streams that one server has open at most, unless told. */
export const streamsMaxDefault = 5_000

export interface StreamBounds {
  /** Event streams that one server has open at most; 5,000 unless told. */
  readonly streamsMax?: number | undefined
  /** Of one person or key, and of all tokens of one of them for one run; 100 unless told. */
  readonly streamsPerActorMax?: number | undefined
}

/** Different lists that one person or key follows at a time: far fewer than a server does, so that nobody takes them all. */
const listsPerActorMax = 10

/** What one person or key has open. */
interface Own {
  streams: number
  /** How many streams follow each list. */
  readonly lists: Map<string, number>
}

/** How many event streams are open, and whose. */
export class OpenStreams {
  readonly #max: number
  readonly #perActorMax: number
  readonly #byActor = new Map<string, Own>()
  #open = 0

  constructor({ streamsMax = streamsMaxDefault, streamsPerActorMax = 100 }: StreamBounds) {
    this.#max = streamsMax
    this.#perActorMax = streamsPerActorMax
  }

  get count(): number {
    return this.#open
  }

  /** Counts one more; answers with what ends it. @param list the key of the list that it follows @throws MillraceError too_many_requests */
  open(actor: Pick<Actor, 'kind' | 'id' | 'run'>, list?: string): () => void {
    const whose = countedFor(actor)
    const own: Own = this.#byActor.get(whose) ?? { streams: 0, lists: new Map() }
    if (own.streams >= this.#perActorMax)
      throw tooMany(`You have ${own.streams} event streams open, the most that one may have.`)
    if (list !== undefined && !own.lists.has(list) && own.lists.size >= listsPerActorMax)
      throw tooMany(`You follow ${own.lists.size} different lists, the most that one may.`)
    if (this.#open >= this.#max)
      throw tooMany(`This server has ${this.#open} event streams open, the most that it serves.`)
    this.#open += 1
    own.streams += 1
    if (list !== undefined) own.lists.set(list, (own.lists.get(list) ?? 0) + 1)
    this.#byActor.set(whose, own)
    let isOpen = true
    return () => {
      if (!isOpen) return
      isOpen = false
      this.#open -= 1
      own.streams -= 1
      if (list !== undefined) forget(own.lists, list)
      if (own.streams === 0) this.#byActor.delete(whose)
    }
  }
}

/** All tokens bear the id of who made them: those for one run, which its visitors hold, take nothing from those for another one. */
function countedFor({ kind, id, run }: Pick<Actor, 'kind' | 'id' | 'run'>): string {
  return kind === 'token' ? `${kind} ${id} ${run}` : `${kind} ${id}`
}

function forget(lists: Own['lists'], list: string): void {
  const left = lists.get(list)! - 1
  if (left === 0) lists.delete(list)
  else lists.set(list, left)
}

function tooMany(sentence: string): MillraceError {
  return new MillraceError('too_many_requests', `${sentence} Close one, or try again later.`, {
    fields: { retry_after_seconds: 30 },
  })
}

export interface EventStreamParts {
  readonly events: AsyncGenerator<StreamEvent | typeof beat, void, undefined>
  /** Makes the generator end where it waits; called once. */
  readonly leave: () => void
  /** Told what ended the events before their end; the reader learns nothing of it, and comes again. */
  readonly failed: (error: unknown) => void
}

const encoder = new TextEncoder()
// What is read slowly is asked for slowly: the next event is made when the one before has been taken.
const strategy = { highWaterMark: 0 }

/** The answer that goes on until the events end or the reader leaves. */
export function eventStream({ events, leave, failed }: EventStreamParts): Response {
  let isOpen = true
  const end = (): void => {
    if (!isOpen) return
    isOpen = false
    leave()
  }
  // Said at once: so the reader knows that it is connected, and how soon to come again.
  let greeting: string | undefined = 'retry: 2000\n\n'
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (greeting !== undefined) {
          controller.enqueue(encoder.encode(greeting))
          greeting = undefined
          return
        }
        const next = await events.next().catch((error: unknown) => {
          failed(error)
          return { done: true, value: undefined } as const
        })
        if (next.done !== true) controller.enqueue(encoder.encode(textOf(next.value)))
        else {
          end()
          // A reader that left has closed it already.
          try {
            controller.close()
          } catch {}
        }
      },
      cancel: end,
    },
    strategy,
  )
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      // So that a proxy in front hands on each event as it comes.
      'x-accel-buffering': 'no',
    },
  })
}

function textOf(event: StreamEvent | typeof beat): string {
  if (event === beat) return ':\n\n'
  return `event: ${event.event}\nid: ${event.id}\ndata: ${JSON.stringify(event.data)}\n\n`
}
