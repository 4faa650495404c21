// What a graph leaves out, against what the database makes of it.
import { expect, test } from 'vitest'
import { openMillrace } from '../../test/millrace.ts'
import { wholeGraph } from './stored-graph.ts'

const { database } = await openMillrace()

test('a graph that says no more than it must is filled in as the database does it', async () => {
  const sparse = {
    steps: [
      { name: 'list' },
      { name: 'each', kind: 'map', over: 'list' } as const,
      { name: 'store', after: ['each'] },
    ],
  }
  await database.query('select millrace.register_pipeline($1, $2)', ['sparse', sparse])
  const defined = await database.query(
    `select d.step as name, d.kind, d.needs as after, h.queue, d.max_attempts, d.timeout_ms::float8 as timeout_ms,
            jsonb_build_object('initial_ms', d.backoff_initial_ms, 'factor', d.backoff_factor, 'max_ms', d.backoff_max_ms, 'jitter', d.backoff_jitter) as backoff
       from millrace.step_definition d join millrace.handler h on h.id = d.handler
      where d.slug = 'sparse' and d.kind <> 'end' order by d.position`,
  )
  const { key, steps } = wholeGraph(sparse)
  expect(key).toEqual([])
  expect(steps).toEqual(defined.map((step) => expect.objectContaining(step) as unknown))
  expect(steps).toMatchObject(steps.map(() => ({ tx: false, when: false })))
})

test('what a graph says stays as it is', () => {
  const step = { name: 'a', kind: 'sql', target: 'app.load', after: [], queue: 'slow', tx: true } as const
  const { steps, ...options } = wholeGraph({ key: [['state']], pause_after: 3, steps: [step] })
  expect(options).toEqual({ key: [['state']], pause_after: 3 })
  expect(steps[0]).toMatchObject(step)
})
