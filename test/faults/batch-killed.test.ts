// Workers that are killed in the middle of batches: each task of them runs again elsewhere, and ends once.
import { expect, test } from 'vitest'
import { until } from '../deadline.ts'
import { allEnded } from './effects.ts'
import { effectTable, holdPipelines } from './pipelines.ts'
import { programsOnDatabase } from './programs-on.ts'
import { mayJudge } from './worker-program.ts'

const { batch } = holdPipelines(() => {})
const { database, client, programs } = await programsOnDatabase()

test('A1 a worker that is killed in the middle of its batches loses none of their tasks: all run again in others, and each ends once', async () => {
  await database.query(effectTable)
  const options = { database: database.url, leaseSeconds: 3, heartbeatMs: 200, slots: 3 }
  // It serves nothing of this until the victim is dead: it judges who is.
  const judge = await programs.start({ ...options, queues: ['nothing-here'] })
  await mayJudge(database, judge.worker)
  const victim = await programs.start(options)
  const answers = await client.startMany(
    batch,
    Array.from({ length: 45 }, () => ({ ms: 60_000 })),
  )
  const runs = answers.map(({ run }) => run!.id)
  const heldByVictim = async () =>
    (await database.query('select id from millrace.task where worker_id = $1', [victim.worker])).length
  await until('three batches are held, and no fourth', async () => (await heldByVictim()) === 30)
  // What is left of their effects and their waiting is no matter of the test: those that come next wait for nothing.
  await database.query('update millrace.run set input = \'{"ms": 0}\' where id = any ($1)', [runs])
  await victim.kill()
  await programs.start(options)
  await allEnded(database, runs, 60_000)
  const outcomes = await database.query<{ outcomes: string[]; runs: number }>(
    `select outcomes, count(*)::int as runs from (
       select array_agg(outcome order by attempt) as outcomes from millrace.attempt where run_id = any ($1) group by run_id) each
      group by outcomes order by runs desc`,
    [runs],
  )
  expect(outcomes).toEqual([
    { outcomes: ['reclaimed', 'completed'], runs: 30 },
    { outcomes: ['completed'], runs: 15 },
  ])
  const [effects] = await database.query<{ runs: number; effects: number }>(
    'select count(distinct run_id)::int as runs, count(*)::int as effects from public.effect where run_id = any ($1)',
    [runs],
  )
  expect(effects).toEqual({ runs: 45, effects: 45 })
})
