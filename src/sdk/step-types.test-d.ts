// A type claim: a chain of sixty steps, each seeing all before it, still compiles, and in reasonable time.
import { z } from 'zod'
import { pipeline } from './pipeline.ts'
import type { PipelineOutput } from './startable.ts'
import type { Equal, Expect } from '../../test/type-claim.ts'

const chain = pipeline('chain', { input: z.object({ state: z.string() }) })
  .step('s0', () => ({ n: 0 }))
  .step('s1', ({ input, steps }) => ({ n: 1, state: input.state, all: Object.keys(steps) }))
  .step('s2', { after: ['s1'], when: ({ steps }) => steps.s1 !== undefined }, ({ steps }) => ({
    n: 2,
    first: steps.s0.n,
  }))
  .step('s3', ({ steps }) => [{ at: new Date(), before: steps.s2 }])
  .map('s4', { over: 's3' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s2?.n }))
  .step('s5', ({ input, steps }) => ({ n: 5, state: input.state, all: Object.keys(steps) }))
  .step('s6', { after: ['s5'], when: ({ steps }) => steps.s5 !== undefined }, ({ steps }) => ({
    n: 6,
    first: steps.s0.n,
  }))
  .step('s7', ({ steps }) => [{ at: new Date(), before: steps.s6 }])
  .map('s8', { over: 's7' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s6?.n }))
  .step('s9', ({ input, steps }) => ({ n: 9, state: input.state, all: Object.keys(steps) }))
  .step('s10', { after: ['s9'], when: ({ steps }) => steps.s9 !== undefined }, ({ steps }) => ({
    n: 10,
    first: steps.s0.n,
  }))
  .step('s11', ({ steps }) => [{ at: new Date(), before: steps.s10 }])
  .map('s12', { over: 's11' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s10?.n }))
  .step('s13', ({ input, steps }) => ({ n: 13, state: input.state, all: Object.keys(steps) }))
  .step('s14', { after: ['s13'], when: ({ steps }) => steps.s13 !== undefined }, ({ steps }) => ({
    n: 14,
    first: steps.s0.n,
  }))
  .step('s15', ({ steps }) => [{ at: new Date(), before: steps.s14 }])
  .map('s16', { over: 's15' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s14?.n }))
  .step('s17', ({ input, steps }) => ({ n: 17, state: input.state, all: Object.keys(steps) }))
  .step('s18', { after: ['s17'], when: ({ steps }) => steps.s17 !== undefined }, ({ steps }) => ({
    n: 18,
    first: steps.s0.n,
  }))
  .step('s19', ({ steps }) => [{ at: new Date(), before: steps.s18 }])
  .map('s20', { over: 's19' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s18?.n }))
  .step('s21', ({ input, steps }) => ({ n: 21, state: input.state, all: Object.keys(steps) }))
  .step('s22', { after: ['s21'], when: ({ steps }) => steps.s21 !== undefined }, ({ steps }) => ({
    n: 22,
    first: steps.s0.n,
  }))
  .step('s23', ({ steps }) => [{ at: new Date(), before: steps.s22 }])
  .map('s24', { over: 's23' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s22?.n }))
  .step('s25', ({ input, steps }) => ({ n: 25, state: input.state, all: Object.keys(steps) }))
  .step('s26', { after: ['s25'], when: ({ steps }) => steps.s25 !== undefined }, ({ steps }) => ({
    n: 26,
    first: steps.s0.n,
  }))
  .step('s27', ({ steps }) => [{ at: new Date(), before: steps.s26 }])
  .map('s28', { over: 's27' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s26?.n }))
  .step('s29', ({ input, steps }) => ({ n: 29, state: input.state, all: Object.keys(steps) }))
  .step('s30', { after: ['s29'], when: ({ steps }) => steps.s29 !== undefined }, ({ steps }) => ({
    n: 30,
    first: steps.s0.n,
  }))
  .step('s31', ({ steps }) => [{ at: new Date(), before: steps.s30 }])
  .map('s32', { over: 's31' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s30?.n }))
  .step('s33', ({ input, steps }) => ({ n: 33, state: input.state, all: Object.keys(steps) }))
  .step('s34', { after: ['s33'], when: ({ steps }) => steps.s33 !== undefined }, ({ steps }) => ({
    n: 34,
    first: steps.s0.n,
  }))
  .step('s35', ({ steps }) => [{ at: new Date(), before: steps.s34 }])
  .map('s36', { over: 's35' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s34?.n }))
  .step('s37', ({ input, steps }) => ({ n: 37, state: input.state, all: Object.keys(steps) }))
  .step('s38', { after: ['s37'], when: ({ steps }) => steps.s37 !== undefined }, ({ steps }) => ({
    n: 38,
    first: steps.s0.n,
  }))
  .step('s39', ({ steps }) => [{ at: new Date(), before: steps.s38 }])
  .map('s40', { over: 's39' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s38?.n }))
  .step('s41', ({ input, steps }) => ({ n: 41, state: input.state, all: Object.keys(steps) }))
  .step('s42', { after: ['s41'], when: ({ steps }) => steps.s41 !== undefined }, ({ steps }) => ({
    n: 42,
    first: steps.s0.n,
  }))
  .step('s43', ({ steps }) => [{ at: new Date(), before: steps.s42 }])
  .map('s44', { over: 's43' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s42?.n }))
  .step('s45', ({ input, steps }) => ({ n: 45, state: input.state, all: Object.keys(steps) }))
  .step('s46', { after: ['s45'], when: ({ steps }) => steps.s45 !== undefined }, ({ steps }) => ({
    n: 46,
    first: steps.s0.n,
  }))
  .step('s47', ({ steps }) => [{ at: new Date(), before: steps.s46 }])
  .map('s48', { over: 's47' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s46?.n }))
  .step('s49', ({ input, steps }) => ({ n: 49, state: input.state, all: Object.keys(steps) }))
  .step('s50', { after: ['s49'], when: ({ steps }) => steps.s49 !== undefined }, ({ steps }) => ({
    n: 50,
    first: steps.s0.n,
  }))
  .step('s51', ({ steps }) => [{ at: new Date(), before: steps.s50 }])
  .map('s52', { over: 's51' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s50?.n }))
  .step('s53', ({ input, steps }) => ({ n: 53, state: input.state, all: Object.keys(steps) }))
  .step('s54', { after: ['s53'], when: ({ steps }) => steps.s53 !== undefined }, ({ steps }) => ({
    n: 54,
    first: steps.s0.n,
  }))
  .step('s55', ({ steps }) => [{ at: new Date(), before: steps.s54 }])
  .map('s56', { over: 's55' }, ({ item, steps }) => ({ at: new Date(item.at), n: steps.s54?.n }))
  .step('s57', ({ input, steps }) => ({ n: 57, state: input.state, all: Object.keys(steps) }))
  .step('s58', { after: ['s57'], when: ({ steps }) => steps.s57 !== undefined }, ({ steps }) => ({
    n: 58,
    first: steps.s0.n,
  }))
  .step('s59', ({ steps }) => [{ at: new Date(), before: steps.s58 }])
  .step('last', ({ steps }) => steps.s40[0]?.at)

export type ChainClaim = Expect<Equal<PipelineOutput<typeof chain>, string | null>>
