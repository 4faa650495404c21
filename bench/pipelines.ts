// The pipelines that are measured: their values are those of the floors.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { type Client, pipeline } from './product.ts'

const input = z.object({ n: z.number() })

/** What every start gives. */
export const givenInput = { n: 1 }

const nothing = () => {}

/** Three steps, one after the other; `begun` is called at the beginning of the first. */
export const threeSteps = (begun: () => void = nothing) =>
  pipeline('three-steps', { input })
    .step('one', () => {
      begun()
      return { ok: 1 }
    })
    .step('two', () => ({ ok: 1 }))
    .step('three', () => ({ ok: 3 }))

export const oneStep = (begun: () => void = nothing) =>
  pipeline('one-step', { input }).step('one', () => {
    begun()
    return { ok: 1 }
  })

/** A list, a task for each of its items, and a step that reads all their outputs. */
export const fanOutOf = (size: number) =>
  pipeline('fan-out', { input })
    .step('list', () => Array.from({ length: size }, (_, n) => ({ n })))
    .map('each', { over: 'list' }, ({ item }) => ({ ok: item.n }))
    .step('join', ({ steps }) => ({ ok: steps.each.length }))

/** The same, with a hundred items for each call of the handler. */
export const batchesOf = (size: number) =>
  pipeline('batches', { input })
    .step('list', () => Array.from({ length: size }, (_, n) => ({ n })))
    .batch('each', { over: 'list', size: 100, within: '1s' }, ({ items }) =>
      items.map(({ item }) => ({ ok: item.n })),
    )
    .step('join', ({ steps }) => ({ ok: steps.each.length }))

/** A step that holds its slot until the promise is kept. */
export const waitingFor = (released: Promise<void>, begun: () => void) =>
  pipeline('waiting', { input }).step('wait', async () => {
    begun()
    await released
    return { ok: 1 }
  })

/** A step of so many milliseconds, and how long a start of it waits until that begins. */
export function timedStep(handlerMs: number) {
  const begun = new Map<string, (at: number) => void>()
  const timed = pipeline('timed', { input: z.object({ n: z.number(), ticket: z.string().optional() }) }).step(
    'work',
    async ({ input: { ticket } }) => {
      if (ticket !== undefined) begun.get(ticket)?.(performance.now())
      await pause(handlerMs)
    },
  )
  const wait = async (client: Client, n: number): Promise<number> => {
    const ticket = randomUUID()
    const beginning = new Promise<number>((resolve) => begun.set(ticket, resolve))
    const startedAt = performance.now()
    await client.start(timed, { n, ticket })
    const waited = (await beginning) - startedAt
    begun.delete(ticket)
    return waited
  }
  return { pipeline: timed, wait }
}
