// Type claims about webhooks: each map gives what its pipeline takes; the compiler is the test.
import { z } from 'zod'
import type { Delivery } from './delivery.ts'
import { pipeline } from './pipeline.ts'
import { webhook } from './webhook.ts'

const people = pipeline('people', { input: z.object({ name: z.string() }) }).step('keep', () => null)
const scores = pipeline('scores', { input: z.object({ n: z.number() }) }).step('score', () => null)
const base = { provider: 'standard', secret: 'hooks/people' } as const

webhook('one', {
  ...base,
  pipeline: people,
  map: (delivery) => ({ name: (delivery satisfies Delivery).text }),
})
webhook('later', { ...base, pipeline: people, map: async ({ text }) => Promise.resolve({ name: text }) })
webhook('by-name', { ...base, pipeline: 'somewhere', map: () => ({ any: 'thing' }) })
webhook('several', {
  ...base,
  pipelines: [
    { pipeline: people, map: ({ text }) => ({ name: text }), filter: ({ headers }) => 'x-event' in headers },
    { pipeline: scores, map: () => ({ n: 1 }) },
    { pipeline: 'by-name' },
  ],
})

// @ts-expect-error: the name of a person is a text
webhook('wrong', { ...base, pipeline: people, map: () => ({ name: 1 }) })

webhook('wrong-of-several', {
  ...base,
  pipelines: [
    { pipeline: people, map: () => ({ name: 'a' }) },
    // @ts-expect-error: a score has an n
    { pipeline: scores, map: () => ({ name: 'a' }) },
  ],
})

// @ts-expect-error: a webhook without a secret would take what anybody sends
webhook('open', { provider: 'standard', pipeline: people })
