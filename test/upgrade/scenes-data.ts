// Scenes of limits, rules on starts, and data: what waits for room, what is sealed, locks, artifacts, what was made of another run.
import { book, numbered, type Scene } from './scene.ts'

const startThree: Scene['begin'] = (client, [pipeline]) =>
  client.startMany(pipeline!, [{ n: 1 }, { n: 1 }, { n: 1 }])

export const dataScenes: readonly Scene[] = [
  {
    name: 'limited',
    since: 17,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('limited', { ...numbered, limits: [code.limit('narrow', { concurrency: 1, key: 'n' })] })
        .step('work', hold)
        .step('book', { tx: true }, book),
    ],
    begin: startThree,
    stands: { held: 1, open: 2 },
    runs: 3,
  },
  {
    name: 'debounced',
    since: 17,
    pipelines: ({ code }) => [
      code
        .pipeline('debounced', { ...numbered, debounce: { key: 'n', wait: '1h' } })
        .step('book', { tx: true }, book),
    ],
    begin: startThree,
    stands: { open: 1 },
    runs: 1,
  },
  {
    name: 'sealed',
    since: 17,
    pipelines: ({ code }) => [
      code
        .pipeline('sealed', { ...numbered, encrypt: true })
        .step('first', ({ input }) => ({ seen: input.n }))
        .step('wait', async ({ durable, secret }) => {
          await durable.signal('unseal')
          return secret('SUPPLIER_KEY')
        })
        .step('book', { tx: true }, async (context) => {
          if (context.steps.first.seen !== 1) throw new Error('What was sealed is lost.')
          return book(context)
        }),
    ],
    begin: async (client, [pipeline]) => {
      await client.secrets.set('SUPPLIER_KEY', { value: 'a secret of the old release' })
      await client.start(pipeline!, { n: 1 })
    },
    stands: { open: 1 },
    afterwards: (client, [run]) => client.signal('unseal', null, { run: run! }),
    runs: 1,
  },
  {
    name: 'locked',
    since: 17,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('locked', numbered)
        .step('work', ({ lock }) => lock('of-all', hold))
        .step('book', { tx: true }, book),
    ],
    begin: startThree,
    stands: { held: 3 },
    runs: 3,
  },
  {
    name: 'written',
    since: 17,
    pipelines: ({ code }) => [
      code
        .pipeline('written', numbered)
        .step('look-up', { cache: { key: 'n', ttl: '30d' } }, () => ({ price: 7 }))
        .step('export', ({ artifacts }) => artifacts.write('list.csv', 'a,b\n', { type: 'text/csv' }))
        .step('book', { tx: true }, book),
    ],
    begin: (client, [pipeline]) => client.start(pipeline!, { n: 1 }),
    stands: { ended: 1 },
    runs: 1,
  },
]
