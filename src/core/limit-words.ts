// Owns limits in words: what a rule says, and what it holds for.
import { durationWords, grouped } from './wording.ts'

/** The settings of a rule, as they are stored. */
interface Settings {
  readonly kind: string
  readonly key?: ReadonlyArray<readonly string[]>
  readonly capacity?: number
  readonly strategy?: string
  readonly units?: number
  readonly per_ms?: number
  readonly burst?: number
  readonly units_path?: readonly string[]
  readonly failures?: number
  readonly window_ms?: number
  readonly cooldown_ms?: number
  readonly fifo?: string
  readonly weights?: Readonly<Record<string, number>>
  readonly default_weight?: number
}

/** '5 at once by state', '100 in 1m, 10 at once', 'open after 5 failures in 1m, for 30s', 'turns, acme 3 and others 1 by customer'. */
export function settingWords(settings: Settings): string {
  const { key = [] } = settings
  const by = key.map((path) => path.join('.')).join(' and ')
  return `${kindWords(settings)}${by === '' ? '' : ` by ${by}`}`
}

function kindWords({ kind, ...told }: Settings): string {
  if (kind === 'concurrency') {
    if (told.fifo !== undefined)
      return `1 at once in strict order, ${told.fifo === 'block' ? 'whoever fails keeps its place' : 'others pass whoever fails'}`
    const strategy = told.strategy === 'wait' ? '' : `, ${String(told.strategy).replace('_', ' ')}`
    return `${grouped(told.capacity ?? 0)} at once${strategy}`
  }
  if (kind === 'rate') {
    const units = told.units_path === undefined ? '' : ` units (${told.units_path.join('.')})`
    const burst = (told.burst ?? 1) === 1 ? '' : `, ${grouped(told.burst ?? 1)} at once`
    return `${grouped(told.units ?? 0)}${units} in ${durationWords(told.per_ms ?? 0)}${burst}`
  }
  if (kind === 'fairness') {
    const named = Object.entries(told.weights ?? {}).map(([key, weight]) => `${key} ${weight}`)
    const others = `${named.length === 0 ? 'each' : 'others'} ${told.default_weight ?? 1}`
    return `in turns, ${[...named.slice(0, 5), ...(named.length > 5 ? ['…'] : []), others].join(', ')},`
  }
  return `open after ${told.failures} failures in ${durationWords(told.window_ms ?? 0)}, for ${durationWords(told.cooldown_ms ?? 0)}`
}

/** 'orders', 'orders/charge', 'queue slow', 'queue slow of orders'. */
export function targetWords({
  slug,
  step,
  queue,
}: {
  readonly slug?: string
  readonly step?: string
  readonly queue?: string
}): string {
  if (slug === undefined) return `queue ${queue ?? ''}`
  const place = step === undefined ? slug : `${slug}/${step}`
  return queue === undefined ? place : `queue ${queue} of ${place}`
}
