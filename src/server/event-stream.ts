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
  /** Of one person or key; 100 unless told. */
  readonly streamsPerActorMax?: number | undefined
}

/** How many event streams are open, and whose. */
export class OpenStreams {
  readonly #max: number
  readonly #perActorMax: number
  readonly #byActor = new Map<string, number>()
  #open = 0

  constructor({ streamsMax = streamsMaxDefault, streamsPerActorMax = 100 }: StreamBounds) {
    this.#max = streamsMax
    this.#perActorMax = streamsPerActorMax
  }

  get count(): number {
    return this.#open
  }

  /** Counts one more; answers with what ends it. @throws MillraceError too_many_requests */
  open({ kind, id }: Pick<Actor, 'kind' | 'id'>): () => void {
    const whose = `${kind} ${id}`
    const own = this.#byActor.get(whose) ?? 0
    if (own >= this.#perActorMax)
      throw tooMany(`You have ${own} event streams open, the most that one may have.`)
    if (this.#open >= this.#max)
      throw tooMany(`This server has ${this.#open} event streams open, the most that it serves.`)
    this.#open += 1
    this.#byActor.set(whose, own + 1)
    let isOpen = true
    return () => {
      if (!isOpen) return
      isOpen = false
      this.#open -= 1
      const left = this.#byActor.get(whose)! - 1
      if (left === 0) this.#byActor.delete(whose)
      else this.#byActor.set(whose, left)
    }
  }
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
