// From what is done here to the handler that it begins, in this process: when it came there, and how long a start takes to it.
import { setTimeout as pause } from 'node:timers/promises'
import { givenInput } from './pipelines.ts'
import type { Client } from './product.ts'

/** What lies between two samples, so that the worker sleeps again. */
export const pauseMs = 15

export type Startable = Parameters<Client['start']>[0]

/** When a handler came to the point that is measured. */
export class Moments {
  #mark: (atMs: number) => void = () => {}

  mark(): void {
    this.#mark(performance.now())
  }

  next(): Promise<number> {
    return new Promise((resolve) => {
      this.#mark = resolve
    })
  }
}

/** Milliseconds from a start to its handler. */
export async function startMs(client: Client, one: Startable, moments: Moments): Promise<number> {
  await pause(pauseMs)
  const begun = moments.next()
  const startedMs = performance.now()
  const started = client.start(one, givenInput)
  const ms = (await begun) - startedMs
  await started
  return ms
}
