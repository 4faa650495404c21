// Scenes of what starts by itself and of who takes turns: batches, schedules, changes, events, callbacks, tenants.
import { z } from 'zod'
import { book, numbered, type Scene } from './scene.ts'

const queue = 'later'
const startTwice: Scene['begin'] = (client, [pipeline]) =>
  client.startMany(pipeline!, [{ n: 1 }, { n: 1 }, { n: 2 }, { n: 2 }])
const anything = { input: z.looseObject({}) }

export const triggerScenes: readonly Scene[] = [
  {
    name: 'batched',
    since: 26,
    pipelines: ({ code }) => [
      code
        .pipeline('batched', { ...numbered, queue })
        .batch('mail', { size: 10, within: '5s' }, ({ items }) => items.map(({ input }) => input.n))
        .step('book', { tx: true }, book),
    ],
    begin: startTwice,
    stands: { open: 4 },
    runs: 4,
  },
  {
    name: 'in-turn',
    since: 26,
    pipelines: ({ code }) => [
      code
        .pipeline('in-turn', {
          ...numbered,
          queue,
          limits: [code.limit('turns', { key: 'n', fairness: {} })],
        })
        .step('book', { tx: true }, book),
    ],
    begin: startTwice,
    stands: { open: 4 },
    runs: 4,
  },
  {
    name: 'in-order',
    since: 26,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('in-order', {
          ...numbered,
          limits: [code.limit('ordered', { key: 'n', concurrency: 1, fifo: 'block' })],
        })
        .step('work', hold)
        .step('book', { tx: true }, book),
    ],
    begin: startTwice,
    stands: { held: 2, open: 2 },
    runs: 4,
  },
  {
    name: 'scheduled',
    since: 26,
    pipelines: ({ code }) => [code.pipeline('scheduled', anything).step('book', { tx: true }, book)],
    triggers: ({ code }, [pipeline]) => [
      code.schedule('daily', { pipeline: pipeline!, every: '1d', input: {} }),
    ],
    runs: 1,
  },
  {
    name: 'changed',
    since: 26,
    pipelines: ({ code }) => [code.pipeline('changed', anything).step('book', { tx: true }, book)],
    triggers: ({ code }, [pipeline]) => [code.watch('shop.person', { pipeline: pipeline!, name: 'people' })],
    unseen: (_client, transaction) => transaction.query(`insert into shop.person values (1, 'Ada')`),
    runs: 1,
  },
  {
    name: 'emitted',
    since: 26,
    pipelines: ({ code }) => [code.pipeline('emitted', anything).step('book', { tx: true }, book)],
    triggers: ({ code }, [pipeline]) => [code.subscribe('person.joined', { pipeline: pipeline! })],
    unseen: (client, transaction) => client.emit('person.joined', { person: 'Ada' }, { tx: transaction }),
    runs: 1,
  },
  {
    name: 'called-back',
    since: 26,
    pipelines: ({ code }) => [
      code.pipeline('called-back', { ...numbered, queue }).step('book', { tx: true }, book),
    ],
    begin: async (client, [pipeline]) => {
      await client.secrets.set('hooks/runs', { value: 'whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0' })
      await client.start(
        pipeline!,
        { n: 1 },
        {
          callback: { url: 'http://127.0.0.1:9/', secret: 'hooks/runs' },
        },
      )
    },
    stands: { open: 1 },
    runs: 1,
  },
  {
    name: 'tenanted',
    since: 33,
    pipelines: ({ code }) => [
      code.pipeline('tenanted', { ...numbered, queue }).step('book', { tx: true }, book),
    ],
    begin: (client, [pipeline]) => client.start(pipeline!, { n: 1 }, { tenant: 'acme' }),
    stands: { open: 1 },
    runs: 1,
  },
]
