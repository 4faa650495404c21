// The pipelines that are measured: their values are those of the floors.
import { z } from 'zod'
import { pipeline } from './product.ts'

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

/** A step that holds its slot until the promise is kept. */
export const waitingFor = (released: Promise<void>, begun: () => void) =>
  pipeline('waiting', { input }).step('wait', async () => {
    begun()
    await released
    return { ok: 1 }
  })
