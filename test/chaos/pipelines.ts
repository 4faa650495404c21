// Owns the pipelines and triggers that every worker of the chaos serves: random graphs of a seed, and those that a schedule, a webhook, a change and
// a booking start.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { PermanentError } from '../../src/core/errors.ts'
import type { HandlerContext } from '../../src/sdk/context.ts'
import { limit } from '../../src/sdk/limit.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import type { PipelineDefinition } from '../../src/sdk/pipeline-definition.ts'
import { schedule } from '../../src/sdk/schedule.ts'
import { type Change, watch } from '../../src/sdk/watch.ts'
import { webhook } from '../../src/sdk/webhook.ts'
import { writeEffect } from './effect.ts'
import { lightPipelines } from './light-pipelines.ts'
import { atItsEnd, stay } from './orders.ts'
import { holdLock } from './held-lock.ts'
import { askOutside, outsideUrl } from './outside-call.ts'
import {
  isWanted,
  fullRecipe,
  laterRecipe,
  listOf,
  type LoadInput,
  plus,
  randomRecipe,
  type Recipe,
  type RecipeStep,
  sumOf,
  type Told,
  type Value,
} from './recipes.ts'
import { byWhom, toldBy } from './told.ts'

/** How many of them come at most at once, over all workers: of each shop, and of all. */
export const caps = { shop: 2, all: 4 } as const
export const hooksSecret = 'chaos/hooks'
export const hooksName = 'chaos-hooks'
export const watchName = 'chaos-things'

/** Where steps and clients write what they did. */
export const tables = `
  create table public.booked (run_id uuid primary key);
  create table public.hold (name text not null, token bigint not null, run_id uuid not null, step text not null, attempt int not null,
    entered_at timestamptz not null default clock_timestamp(), left_at timestamptz, primary key (token, run_id, attempt));
  create table public.thing (id int primary key, version int not null);
  create table public.journal (id int not null, version int not null, operation text not null, primary key (id, version))`

const recipeCount = 10
const retry = { attempts: 60, initial: '50ms', max: '500ms' } as const
const shops = limit('chaos-shop', { concurrency: caps.shop, key: 'shop' })
const narrow = limit('chaos-all', { concurrency: caps.all })
/** Whoever waits for a lock has a slot of its worker meanwhile: without a bound, those behind one holder that died would have all of them. */
const lockers = limit('chaos-lockers', { concurrency: 6 })
const given = z.object({ n: z.number() })
const asked = given.extend({ nonce: z.string() })
const input = asked.extend({ shop: z.number(), fails: z.boolean(), expected: z.number() })

/** A pipeline of the load: what starts it, and which of its steps write an effect, wait for a signal, or are limited. */
export interface Loaded {
  readonly recipe: Recipe
  readonly pipeline: PipelineDefinition
}

/** Of the generation before a deployment, or after it: their graphs differ, and so each needs workers of its own. */
export function randomPipelines(seed: number, generation: number): Loaded[] {
  return Array.from({ length: recipeCount + 1 }, (_, number) => {
    const make = number < recipeCount ? randomRecipe : fullRecipe
    const first = make(`chaos-random-${number}`, seed * 1_000 + number)
    const recipe = generation % 2 === 0 ? first : laterRecipe(first)
    return { recipe, pipeline: pipelineOf(recipe) }
  })
}

const child = pipeline('chaos-child', { input: given, retry })
  .step('first', ({ input: { n } }) => n)
  .step('end', { tx: true }, async (context) => {
    await writeEffect(context)
    return context.steps.first + 1
  })

const tick = pipeline('chaos-tick', { retry }).step('end', { tx: true }, writeEffect)
export const booking = pipeline('chaos-booking', { input: asked, retry }).step(
  'end',
  { tx: true },
  writeEffect,
)
const told = pipeline('chaos-change', {
  input: z.custom<Change<{ id: number; version: number }>>(),
  retry,
}).step('end', { tx: true }, writeEffect)
const hooked = pipeline('chaos-hooked', { input: asked, retry }).step('end', { tx: true }, writeEffect)

/** Its first attempt ends with its worker. */
export const heldPipeline = pipeline('chaos-held', { retry }).step('only', ({ attempt, abort }) =>
  attempt > 1 ? attempt : new Promise<number>((resolve) => abort.addEventListener('abort', () => resolve(0))),
)

/** What is the same in each generation. */
export const fixedPipelines: readonly PipelineDefinition[] = [
  child,
  tick,
  booking,
  told,
  hooked,
  heldPipeline,
  ...lightPipelines,
]

export const inbox = webhook(hooksName, {
  provider: 'standard',
  secret: hooksSecret,
  pipeline: hooked,
  map: ({ json }) => asked.parse(json),
})

export const triggers = [
  schedule('chaos-each', {
    pipeline: tick,
    every: '1s',
    overlap: 'allow',
    catchUp: { slots: 'all', max: 1_000, window: '1h' },
  }),
  schedule('chaos-alone', { pipeline: tick, cron: '*/2 * * * * *', overlap: 'skip' }),
  watch('public.thing', { pipeline: told, name: watchName, order: 'key' }),
  inbox,
]

/** Which steps write a row to public.effect as they complete, by pipeline. */
export function effectSteps(loaded: readonly Loaded[]): Record<string, string[]> {
  const fixed = fixedPipelines.map(({ slug }) => [slug, ['end']] as const)
  const random = loaded.map(({ recipe: { slug, steps } }) => [
    slug,
    steps.filter(({ kind }) => kind === 'tx' || kind === 'end').map(({ name }) => name),
  ])
  return Object.fromEntries([...fixed, ...random]) as Record<string, string[]>
}

export const signalOf = (step: RecipeStep): string => `go-${step.name}`

/** The builder without its types: these names are not known to the compiler. */
interface Builder {
  step(name: string, options: object, handler: (context: HandlerContext) => unknown): Builder
  map(name: string, options: object, handler: (context: HandlerContext) => unknown): Builder
}

function pipelineOf(recipe: Recipe): Loaded['pipeline'] {
  let built = pipeline(recipe.slug, { input, retry }) as unknown as Builder
  for (const step of recipe.steps) {
    const { name, kind, after } = step
    built =
      kind === 'map'
        ? built.map(name, { over: after[0], after }, (context) =>
            inItsName(context, () => plus((context as { readonly item?: number }).item!, step.n)),
          )
        : built.step(name, { after, ...optionsOf(step) }, handlerOf(step))
  }
  return built as unknown as Loaded['pipeline']
}

function optionsOf({ kind }: RecipeStep): object {
  if (kind === 'tx' || kind === 'end') return { tx: true }
  if (kind === 'limited') return { limit: [shops] }
  if (kind === 'narrow') return { limit: [narrow, shops] }
  // What it does under its lock is written beside it.
  if (kind === 'locked') return { writes: true, limit: [lockers] }
  if (kind === 'sometimes')
    return { when: ({ input: seen }: HandlerContext) => isWanted((seen as LoadInput).n) }
  return {}
}

function handlerOf(step: RecipeStep): (context: HandlerContext) => unknown {
  return (context) => {
    const base = sumOf(step.after.map((name) => context.steps[name] as Value))
    return step.kind === 'list' ? listOf(base, step.n) : inItsName(context, () => workOf(step, base, context))
  }
}

/** What it gives says who gave it, and so does what it fails with. Where it ends, the nemesis may be waiting. */
async function inItsName(context: HandlerContext, work: () => number | Promise<number>): Promise<Told> {
  await stay(context)
  const given = await Promise.resolve()
    .then(work)
    .catch((error: unknown) => {
      atItsEnd(context, true)
      throw error
    })
  atItsEnd(context)
  return toldBy(context, given)
}

async function workOf(step: RecipeStep, base: number, context: HandlerContext): Promise<number> {
  const sum = plus(base, step.n)
  switch (step.kind) {
    case 'tx':
      await writeEffect(context)
      return sum
    case 'end':
      await writeEffect(context)
      if ((context.input as LoadInput).fails && context.attempt === 1)
        throw new PermanentError(`It was told to fail: ${byWhom(context)}`)
      return sum
    case 'limited':
    case 'narrow':
      await pause(step.n % 20)
      return sum
    case 'locked':
      return holdLock(context, { name: `lock-${step.n % 3}`, ms: step.n % 20 }).then(() => sum)
    case 'stumble':
      if (context.attempt === 1) throw new Error(`It stumbles the first time: ${byWhom(context)}`)
      return sum
    default:
      return durableWorkOf(step, base, context)
  }
}

/** What waits, calls, or asks outside. */
async function durableWorkOf(step: RecipeStep, base: number, context: HandlerContext): Promise<number> {
  const { durable, run } = context
  const sum = plus(base, step.n)
  switch (step.kind) {
    case 'nap': {
      const first = await durable.run('first', () => base)
      await durable.sleep(20 + step.n)
      return durable.run('second', () => plus(first, step.n))
    }
    case 'call':
      return plus(base, (await durable.call(child, { n: step.n })) - 1)
    case 'calls': {
      const ended = await durable.callMany(child, [{ n: step.n }, { n: 1 }, { n: 2 }])
      return plus(base, sumOf(ended.map((one) => (one.state === 'completed' ? one.output : 0))) - 6)
    }
    case 'signal': {
      const signal = await durable.signal(signalOf(step))
      return plus(base, signal.timedOut ? 0 : (signal.payload as { n: number }).n)
    }
    case 'outside':
      return durable.run('ask', async ({ idempotencyKey, abort }) => {
        const isRepeated = context.attempt === 1 && (context.input as LoadInput).n % 4 === 0
        const call = {
          run: run.id,
          step: step.name,
          attempt: context.attempt,
          key: idempotencyKey,
          n: sum,
          abort,
        }
        const answer = await askOutside(call)
        // It has called, and nothing is kept: so it calls again, and is to do so under the same key.
        if (isRepeated) throw new Error(`It stumbles after its call: ${byWhom(context)}`)
        return answer
      })
    case 'http': {
      const body = { n: sum }
      const secret = 'MILLRACE_CHAOS_SECRET'
      return (
        (await durable.http({ url: outsideUrl('/http'), body, secret, timeout: '1h' })) as { n: number }
      ).n
    }
    default:
      return sum
  }
}
