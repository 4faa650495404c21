// A step that kills whoever runs it: it ends as a dead letter, and the rest of the work goes on.
import { expect, test } from 'vitest'
import { allEnded, expectLoadDone, recordFigure, startLoad } from './effects.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { programsOnDatabase } from './programs-on.ts'
import { mayJudge } from './worker-program.ts'

const { poison } = holdPipelines(() => {})

const { database, client, programs } = await programsOnDatabase()

test('A10 a step that kills its worker each time becomes a dead letter, and other work flows', async () => {
  const options = { database: database.url, leaseSeconds: 3, heartbeatMs: 200, slots: 1 }
  const steady = await programs.start({ ...options, queues: ['default'] })
  await mayJudge(database, steady.worker)
  const poisoned = (await client.start(poison, null)).run!
  const begun = performance.now()
  // Whoever dies is replaced, as a service manager does; the poison may pick either.
  let alive = [steady, await programs.start(options)]
  const others: string[] = []
  await until(
    'the dead letter',
    async () => {
      for (const dead of alive.filter(({ ended }) => ended))
        alive = [...alive.filter((other) => other !== dead), programs.begin(options)]
      if (others.length < 40) others.push(...(await startLoad(client, 1, 1)))
      return (
        (await database.query('select run_id from millrace.dead_letter where run_id = $1', [poisoned.id]))
          .length > 0
      )
    },
    40_000,
  )
  recordFigure(
    'A10',
    `a dead letter after ${((performance.now() - begun) / 1_000).toFixed(1)} s and 3 killed workers`,
  )
  const outcomes = await database.query(
    'select outcome from millrace.attempt where run_id = $1 order by attempt',
    [poisoned.id],
  )
  expect(outcomes).toEqual([{ outcome: 'reclaimed' }, { outcome: 'reclaimed' }, { outcome: 'reclaimed' }])
  await allEnded(database, others)
  await expectLoadDone(database, others)
}, 80_000)
