// Owns the light pipelines of the load: a step or two each, of which hundreds run in a second beside the rich ones.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { HandlerContext } from '../../src/sdk/context.ts'
import { limit } from '../../src/sdk/limit.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import type { PipelineDefinition } from '../../src/sdk/pipeline-definition.ts'
import { writeEffect } from './effect.ts'
import { atItsEnd, stay } from './orders.ts'
import { plus, type Told } from './recipes.ts'
import { byWhom, toldBy } from './told.ts'

/** How many of the narrow ones come at most at once, over all workers: of a lane, and of all. */
export const turnCaps = { lane: 1, all: 3 } as const
export const turnLanes = 5

export interface LightInput {
  readonly n: number
  /** The key of the narrow ones. */
  readonly lane: number
  /** What the run gives. */
  readonly expected: number
  /** Whether it gives nothing, and ends as a dead letter. */
  readonly fails: boolean
  readonly nonce: string
}

/** After so many a step of the hopeless one is given up. */
export const hopelessAttempts = 2

const backoff = { initial: '50ms', max: '500ms' } as const
const retry = { ...backoff, attempts: 60 } as const
const input = z.object({
  n: z.number(),
  lane: z.number(),
  expected: z.number(),
  fails: z.boolean(),
  nonce: z.string(),
})
const turnMs = 4

const one = pipeline('chaos-light-one', { input, retry }).step('only', (context) => lightWork(context))

const chain = pipeline('chaos-light-chain', { input, retry })
  .step('first', (context) => lightWork(context))
  .step('second', (context) => lightWork(context, context.steps.first.n))

const effect = pipeline('chaos-light-effect', { input, retry }).step('end', { tx: true }, async (context) => {
  await writeEffect(context)
  return lightWork(context)
})

const stumble = pipeline('chaos-light-stumble', { input, retry }).step('only', (context) => {
  if (context.attempt > 1) return lightWork(context)
  atItsEnd(context, true)
  throw new Error(`It stumbles the first time: ${byWhom(context)}`)
})

/** Neither luck nor a worker that is lost changes how it ends. */
const hopeless = pipeline('chaos-light-hopeless', {
  input,
  retry: { ...backoff, attempts: hopelessAttempts },
}).step('only', (context): Told => {
  atItsEnd(context, true)
  throw new Error(`It always fails: ${byWhom(context)}`)
})

/** So many tasks are always ready for so few places that one place more would be taken at once. */
const turn = pipeline('chaos-light-turn', { input, retry }).step(
  'turn',
  {
    limit: [
      limit('chaos-turns', { concurrency: turnCaps.all }),
      limit('chaos-lanes', { concurrency: turnCaps.lane, key: 'lane' }),
    ],
  },
  async (context) => {
    await pause(turnMs)
    return lightWork(context)
  },
)

export const light = { one, chain, effect, stumble, hopeless, turn } as const
export const lightPipelines: readonly PipelineDefinition[] = Object.values(light)

type LightContext = Pick<HandlerContext, 'run' | 'step' | 'attempt'> & {
  readonly input: { readonly n: number }
}

/** One more than it was given. */
function lightWork(context: LightContext, n = context.input.n): Told | Promise<Told> {
  const staying = stay(context)
  return staying === undefined ? oneMore(context, n) : staying.then(() => oneMore(context, n))
}

function oneMore(context: LightContext, n: number): Told {
  const told = toldBy(context, plus(n, 1))
  atItsEnd(context)
  return told
}
