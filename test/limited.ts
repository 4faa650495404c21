// The pipelines of the proof of limits: short work that fails now and then, with the keys of its limits in the input.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { pipeline } from '../src/sdk/pipeline.ts'

export const limited = workUnder('limited')

/** Under one rule without keys, so that what has no room stays where it is ready. */
export const limitedAlone = workUnder('limited-alone')

function workUnder(slug: string) {
  return pipeline(slug, {
    input: z.object({ shop: z.number(), region: z.number() }),
    retry: { attempts: 50, initial: '1ms', max: '10ms' },
  }).step('work', async ({ attempt }) => {
    await pause(Math.random() * 6)
    if (attempt === 1 && Math.random() < 0.01) throw new Error('Now and then one fails.')
  })
}
