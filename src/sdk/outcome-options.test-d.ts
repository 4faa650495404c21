// Type claims about onError, ifSkipped and failAfter: what those after a step see; the compiler is the test.
import type { Equal, Expect } from '../../test/type-claim.ts'
import { pipeline } from './pipeline.ts'
import type { PipelineOutput } from './startable.ts'

function is<Expected>() {
  return <Found>(
    _value: Found,
    ..._claim: Equal<Found, Expected> extends true ? [] : [{ found: Found }]
  ): void => {}
}

// A step that may be skipped for its error may be missing; a fallback stands beside the output.
const services = pipeline('services')
  .step('lookup', { onError: 'skip' }, () => ({ name: 'x' }))
  .step('score', { onError: { fallback: 'unknown' } }, () => 1)
  .step('fail', { onError: 'fail' }, () => true)
  .step('seen', ({ steps }) => {
    is<{ name: string } | undefined>()(steps.lookup)
    is<number | string>()(steps.score)
    is<boolean>()(steps.fail)
    return steps.lookup?.name
  })
export type ServiceClaims = [Expect<Equal<(typeof services)['slug'], 'services'>>]

// A fallback has its JSON form, as an output has.
const dated = pipeline('dated').step('a', { onError: { fallback: new Date(0) } }, () => 1)
export type DatedClaim = Expect<Equal<PipelineOutput<typeof dated>, number | string>>

const skipped = pipeline('skipped').step('a', { onError: 'skip' }, () => 1)
export type SkippedClaim = Expect<Equal<PipelineOutput<typeof skipped>, number | null>>

// A map that tolerates failures has gaps in its list; what goes over it, and the run's output, have null there.
const partial = pipeline('partial')
  .step('list', () => ['a', 'b'])
  .map('sizes', { over: 'list', failAfter: '5%', concurrency: 10 }, ({ item }) => item.length)
  .map('again', { over: 'sizes', failAfter: 3 }, ({ item, steps }) => {
    is<number | null>()(item)
    is<(number | undefined)[]>()(steps.sizes)
    return { item }
  })
export type PartialClaims = [
  Expect<Equal<PipelineOutput<typeof partial>, ({ item: number | null } | null)[]>>,
]
const strict = pipeline('strict')
  .step('list', () => ['a'])
  .map('sizes', { over: 'list', concurrency: 2 }, ({ item }) => item.length)
export type StrictClaim = Expect<Equal<PipelineOutput<typeof strict>, number[]>>
const softMap = pipeline('soft-map')
  .step('list', () => ['a'])
  .map('sizes', { over: 'list', onError: { fallback: [0] } }, ({ item }) => item.length)
  .map('each', { over: 'sizes', onError: 'skip' }, ({ item }) => item)
export type SoftMapClaim = Expect<Equal<PipelineOutput<typeof softMap>, number[] | null>>

// A step goes with what it needs only where all of that may be skipped.
const branches = pipeline('branches')
  .step('always', () => 1)
  .step('left', { when: () => true }, () => 'left')
  .step('after-left', { ifSkipped: 'skip' }, () => 'l')
  .step('right', { after: 'always', onError: 'skip' }, () => 'right')
  .step('join', { after: ['after-left', 'right'], ifSkipped: 'skip' }, () => 'join')
  .step('runs', { after: ['after-left', 'always'], ifSkipped: 'skip' }, () => 'runs')
  .step('last', { after: ['join', 'runs'] }, ({ steps }) => {
    is<string | undefined>()(steps['after-left'])
    is<string | undefined>()(steps.join)
    is<string>()(steps.runs)
    return null
  })
void branches

const base = pipeline('base').step('list', () => ['x'])
// @ts-expect-error an outcome that is none
base.step('s', { onError: 'ignore' }, () => 1)
// @ts-expect-error neither run nor skip
base.step('s', { ifSkipped: 'fail' }, () => 1)
// @ts-expect-error a step has no items
base.step('s', { concurrency: 3 }, () => 1)
// @ts-expect-error a step has no items
base.step('s', { failAfter: 3 }, () => 1)
// @ts-expect-error a share has its sign
base.map('m', { over: 'list', failAfter: '5' }, () => 1)
// @ts-expect-error no list takes the place of this one
base.step('l', { onError: { fallback: 'none' } }, () => ['x']).map('m', { over: 'l' }, () => 1)
