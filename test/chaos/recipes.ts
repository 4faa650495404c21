// Owns the random pipelines of the load as data: their graphs, and what each of their runs must give. The same for the same seed.
import { seededRandom } from '../faults/random.ts'

const recipeKinds = [
  'add',
  'tx',
  'list',
  'map',
  'nap',
  'call',
  'calls',
  'signal',
  'outside',
  'http',
  'limited',
  'narrow',
  'sometimes',
  'locked',
  'stumble',
] as const
type RecipeKind = (typeof recipeKinds)[number]

export interface RecipeStep {
  readonly name: string
  readonly kind: RecipeKind | 'end'
  readonly after: readonly string[]
  /** What it adds. */
  readonly n: number
}

export interface Recipe {
  readonly slug: string
  readonly steps: readonly RecipeStep[]
}

export interface LoadInput {
  readonly n: number
  /** The key of the limit by shop. */
  readonly shop: number
  /** Its last step fails for good the first time that it is tried. */
  readonly fails: boolean
  /** What the run gives. */
  readonly expected: number
  readonly nonce: string
}

/** What a step gives: a number, and who gave it. So a result that was written in the name of another attempt shows itself. */
export interface Told {
  readonly n: number
  readonly attempt: number
  readonly pid: number
}

export type Value = number | Told | ReadonlyArray<number | Told> | null | undefined

const modulus = 1_000_003

/** A pipeline of up to seven steps of random kinds, and one that sums up their ends. */
export function randomRecipe(slug: string, seed: number): Recipe {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const steps: RecipeStep[] = []
  for (let place = 0, count = 1 + below(6); place < count; place++) {
    const before = steps.map(({ name }) => name)
    const after = before.filter(() => random() < 0.35)
    const kind = recipeKinds[below(recipeKinds.length)]!
    const n = below(1_000)
    if (kind !== 'map') steps.push({ name: `${kind}-${place}`, kind, after, n })
    else {
      // A map goes over a list of its own.
      steps.push({ name: `list-${place}`, kind: 'list', after, n })
      steps.push({ name: `map-${place}`, kind, after: [`list-${place}`], n })
    }
  }
  return { slug, steps: withEnd(steps) }
}

/** One of each kind of step, side by side: else some kind might come in no pipeline of a seed, and what is asked of it at the end would be asked of nothing. */
export function fullRecipe(slug: string, seed: number): Recipe {
  const random = seededRandom(seed)
  const names = recipeKinds.map((kind, place) => `${kind}-${place}`)
  const list = names[recipeKinds.indexOf('list')]!
  const steps = recipeKinds.map((kind, place): RecipeStep => {
    const n = Math.floor(random() * 1_000)
    return { name: names[place]!, kind, after: kind === 'map' ? [list] : [], n }
  })
  return { slug, steps: withEnd(steps) }
}

/** The same graph with one step more, which changes nothing of what a run gives: what a deployment brings. */
export function laterRecipe({ slug, steps }: Recipe): Recipe {
  const extra: RecipeStep = { name: 'extra', kind: 'add', after: [], n: 0 }
  return { slug, steps: withEnd([...steps.filter(({ kind }) => kind !== 'end'), extra]) }
}

function withEnd(steps: readonly RecipeStep[]): RecipeStep[] {
  const inner = new Set(steps.flatMap(({ after }) => after))
  const after = steps.map(({ name }) => name).filter((name) => !inner.has(name))
  return [...steps, { name: 'end', kind: 'end', after, n: 0 }]
}

/** What the last step of a run gives. */
export function expectedOutput({ steps }: Recipe, n: number): number {
  const values = new Map<string, Value>()
  for (const step of steps) {
    const before = step.after.map((name) => values.get(name))
    values.set(step.name, valueOf(step, before, n))
  }
  return values.get('end') as number
}

function valueOf(step: RecipeStep, before: readonly Value[], n: number): Value {
  if (step.kind === 'map') return (before[0] as readonly number[]).map((item) => plus(item, step.n))
  if (step.kind === 'list') return listOf(sumOf(before), step.n)
  if (step.kind === 'sometimes' && !isWanted(n)) return undefined
  return plus(sumOf(before), step.n)
}

/** What outputs are worth together: lists count with their sum, and what was skipped with nothing. Who gave them doesn't matter. */
export function sumOf(values: readonly Value[]): number {
  const flat = values.flatMap((value) => value ?? [])
  return flat.reduce<number>((sum, value) => sum + (typeof value === 'number' ? value : value.n), 0) % modulus
}

export const plus = (base: number, n: number): number => (base + n) % modulus

export const isWanted = (n: number): boolean => n % 2 === 0

export const listOf = (base: number, n: number): number[] =>
  Array.from({ length: 1 + (n % 5) }, (_, place) => plus(base, n + place))
