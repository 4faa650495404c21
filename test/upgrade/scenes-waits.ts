// Scenes of what waits: sleep, signal, approval, a called run, stored results, undo steps, and what a handler has said.
import { book, numbered, type Scene } from './scene.ts'

const start: Scene['begin'] = (client, [pipeline]) => client.start(pipeline!, { n: 1 })

export const waitScenes: readonly Scene[] = [
  {
    name: 'slept',
    since: 8,
    pipelines: ({ code }) => [
      code
        .pipeline('slept', numbered)
        .step('wait', async ({ durable }) => {
          const drawn = await durable.run('draw', () => 7)
          await durable.sleep('1d')
          return drawn
        })
        .sleep('cool-down', '1s')
        .step('book', { tx: true }, book),
    ],
    begin: start,
    stands: { open: 1 },
    runs: 1,
  },
  {
    name: 'signalled',
    since: 8,
    pipelines: ({ code }) => [
      code
        .pipeline('signalled', numbered)
        .step('wait', async ({ durable }) => (await durable.signal('paid')).timedOut)
        .step('book', { tx: true }, book),
    ],
    begin: start,
    stands: { open: 1 },
    afterwards: (client, [run]) => client.signal('paid', { cents: 100 }, { run: run! }),
    runs: 1,
  },
  {
    name: 'approved',
    since: 8,
    pipelines: ({ code }) => [
      code
        .pipeline('approved', numbered)
        .approval('release', { title: 'Ship it?' })
        .step('book', { tx: true }, book),
    ],
    begin: start,
    stands: { open: 1 },
    afterwards: async (client, [run]) => {
      const [approval] = await client.approvals.list({ run: run! })
      await client.approvals.decide(approval!.id, 'approve', { actor: 'ada' })
    },
    runs: 1,
  },
  {
    name: 'calling',
    since: 8,
    pipelines: ({ code }) => {
      const called = code
        .pipeline('called', numbered)
        .step('wait', async ({ durable }) => (await durable.signal('called-paid')).timedOut)
      return [
        code
          .pipeline('calling', numbered)
          .step('call', async ({ durable, input }) => durable.call(called, input))
          .step('book', { tx: true }, book),
        called,
      ]
    },
    begin: start,
    stands: { open: 1 },
    afterwards: (client) => client.signal('called-paid'),
    runs: 1,
  },
  {
    name: 'stored',
    since: 8,
    pipelines: ({ code, hold, holding }) => [
      code
        .pipeline('stored', numbered)
        .step('work', async ({ durable }) => {
          const drawn = await durable.run('draw', () => (holding ? 'old' : 'new'))
          await durable.run('ask', hold)
          if (drawn !== 'old') throw new Error('What was stored is lost.')
          return drawn
        })
        .step('book', { tx: true }, book),
    ],
    begin: start,
    stands: { held: 1 },
    runs: 1,
  },
  {
    name: 'undone',
    since: 8,
    pipelines: ({ code, hold }) => [
      code
        .pipeline('undone', numbered)
        .step('reserve', () => 1)
        .undo(async () => hold())
        .step('charge', { retry: { attempts: 1 } }, () => {
          throw new Error('the card is refused')
        }),
    ],
    begin: start,
    stands: { held: 1 },
    ends: 'failed',
    runs: 1,
  },
  {
    name: 'told',
    since: 8,
    pipelines: ({ code }) => [
      code
        .pipeline('told', numbered)
        .step('tell', async ({ progress, setMetadata, metric, stream }) => {
          setMetadata({ model: 'large' })
          progress(1, 2, 'half of it')
          metric('confidence', 0.9)
          await stream.write('a word')
          return 'told'
        })
        .step('book', { tx: true }, book),
    ],
    begin: start,
    stands: { ended: 1 },
    runs: 1,
  },
]
