// Scenes of plain steps: held, queued, failed, joined, keyed, and what had ended.
import { book, numbered, type Scene } from './scene.ts'

const start =
  (count = 1): NonNullable<Scene['begin']> =>
  (client, [pipeline]) =>
    client.startMany(
      pipeline!,
      Array.from({ length: count }, (_, n) => ({ n })),
    )

/** On this queue nobody works while a release is kept. */
const queue = 'later'

export const stepScenes: readonly Scene[] = [
  {
    name: 'chain',
    since: 4,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('chain', numbered)
        .step('first', () => 1)
        .step('second', hold)
        .step('book', { tx: true }, book),
    ],
    begin: start(),
    stands: { held: 1 },
    runs: 1,
  },
  {
    name: 'queued',
    since: 4,
    pipelines: ({ code }) => [
      code.pipeline('queued', { ...numbered, queue }).step('book', { tx: true }, book),
    ],
    begin: start(3),
    stands: { open: 3 },
    runs: 3,
  },
  {
    name: 'retried',
    since: 4,
    pipelines: ({ code, holding }) => [
      code
        .pipeline('retried', numbered)
        .step('call', { retry: { attempts: 3, initial: '1h', max: '1h' } }, () => {
          if (holding) throw new Error('the supplier is away')
          return 1
        })
        .step('book', { tx: true }, book),
    ],
    begin: start(),
    stands: { open: 1 },
    runs: 1,
  },
  {
    name: 'mapped',
    since: 4,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('mapped', numbered)
        .step('list', () => [0, 1, 2, 3, 4])
        .map('each', { over: 'list' }, async ({ item }) => {
          if (item > 1) await hold()
          return item * item
        })
        .step('book', { tx: true }, async (context) => {
          if (context.steps.each.join() !== '0,1,4,9,16')
            throw new Error(`The list is ${context.steps.each.join()}`)
          return book(context)
        }),
    ],
    begin: start(),
    stands: { held: 3 },
    runs: 1,
  },
  {
    name: 'joined',
    since: 4,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('joined', numbered)
        .step('left', { after: [] }, () => 1)
        .step('right', { after: [] }, hold)
        .step('book', { after: ['left', 'right'], tx: true }, book),
    ],
    begin: start(),
    stands: { held: 1 },
    runs: 1,
  },
  {
    name: 'dead',
    since: 4,
    pipelines: ({ code, holding }) => [
      code
        .pipeline('dead', numbered)
        .step('charge', { retry: { attempts: 1 } }, () => {
          if (holding) throw new Error('the card is refused')
          return 1
        })
        .step('book', { tx: true }, book),
    ],
    begin: start(),
    stands: { ended: 1 },
    afterwards: (client, [run]) => client.run(run!).redrive({ reason: 'another card' }),
    runs: 1,
  },
  {
    name: 'paused',
    since: 4,
    pipelines: ({ code }) => [
      code.pipeline('paused', { ...numbered, queue }).step('book', { tx: true }, book),
    ],
    begin: async (client, [pipeline]) => {
      const { run } = await client.start(pipeline!, { n: 1 })
      await client.run(run!.id).pause('not on a Sunday')
    },
    stands: { open: 1 },
    afterwards: (client, [run]) => client.run(run!).resume(),
    runs: 1,
  },
  {
    name: 'keyed',
    since: 4,
    pipelines: ({ code }) => [
      code.pipeline('keyed', { ...numbered, queue, key: ({ n }) => n }).step('book', { tx: true }, book),
    ],
    begin: start(),
    stands: { open: 1 },
    runs: 1,
  },
  {
    name: 'done',
    since: 4,
    pipelines: ({ code }) => [
      code
        .pipeline('done', numbered)
        .step('try', { retry: { attempts: 3, initial: '10ms' } }, ({ attempt, log }) => {
          log('asks the supplier')
          if (attempt === 1) throw new Error('the supplier is away')
          return { price: 7 }
        })
        .step('gift', { when: () => false }, () => 1)
        .step('book', { after: ['try', 'gift'], tx: true }, book),
    ],
    begin: start(),
    stands: { ended: 1 },
    runs: 1,
  },
  {
    name: 'stopped',
    since: 4,
    pipelines: ({ code }) => [
      code.pipeline('stopped', { ...numbered, queue }).step('book', { tx: true }, book),
    ],
    begin: async (client, [pipeline]) => {
      const { run } = await client.start(pipeline!, { n: 1 })
      await client.run(run!.id).cancel('nobody wants it')
    },
    stands: { ended: 1 },
    ends: 'cancelled',
    runs: 1,
  },
]
