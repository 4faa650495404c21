// Type claims about cache, lock and artifacts: what is inferred, and what is refused; the compiler is the test.
import { z } from 'zod'
import type { Equal, Expect } from '../../test/type-claim.ts'
import type { ArtifactReference } from './artifacts.ts'
import { pipeline } from './pipeline.ts'
import type { PipelineOutput } from './startable.ts'

const claims = pipeline('claims', { input: z.object({ product: z.string() }) })
  .step('list', { cache: { key: 'product', ttl: '1h' } }, () => [{ at: new Date(), n: 1 }])
  .map(
    'each',
    {
      over: 'list',
      cache: {
        key: ({ input, item, index }) => [input.product satisfies string, item.at satisfies string, index],
        ttl: '1h',
      },
    },
    ({ item }) => item.n,
  )
  .step(
    'join',
    { cache: { key: ({ steps }) => steps.each satisfies number[], ttl: 1_000, scope: 'joined' } },
    async ({ steps, cache, lock, artifacts }) => ({
      cached: await cache('k', { ttl: '1m' }, async () => ({ at: new Date(), all: steps.each })),
      locked: await lock('l', { timeout: '1s' }, async ({ token }) => token),
      file: await artifacts.write('f', 'text'),
    }),
  )

export type Joined = Expect<
  Equal<
    PipelineOutput<typeof claims>,
    { cached: { at: string; all: number[] }; locked: number; file: ArtifactReference }
  >
>

pipeline('refused')
  // @ts-expect-error a step before it has no such name
  .step('unknown', { cache: { key: ({ steps }) => steps.nothing, ttl: '1h' } }, () => 1)
  // @ts-expect-error a value has a lifetime
  .step('endless', { cache: { key: 'a' } }, () => 1)
  // @ts-expect-error what is computed in a transaction may be rolled back
  .step('rolled-back', { tx: true }, ({ cache }) => cache('k', { ttl: '1h' }, () => 1))
