// Owns a small finished world in which nothing is broken: a run or two of each kind that the load of the chaos has, as workers would leave them.
import type { TestDatabase } from '../database.ts'
import { effectTable } from '../faults/pipelines.ts'
import { defineLimit } from '../limits.ts'
import {
  cancelRun,
  chain,
  claimOne,
  complete,
  fail,
  registerPipeline,
  registerWorker,
  startRun,
  type Worker,
} from '../protocol.ts'
import type { Acknowledged } from './load.ts'
import { type Loaded, randomPipelines, tables, watchName } from './pipelines.ts'

/** What the runs of the world are called in its offences. */
const names = [
  'random',
  'failed',
  'cancelled',
  'booked',
  'change',
  'hooked',
  'each0',
  'each1',
  'each2',
  'alone0',
  'alone2',
] as const
type Name = (typeof names)[number]

export interface FinishedWorld {
  readonly runs: Readonly<Record<Name, string>>
  readonly acknowledged: Acknowledged
  readonly pipelines: readonly Loaded[]
}

const pid = 1
const slug = 'chaos-random-0'
/** Of two steps that the limits of the chaos hold back, one that writes an effect, and the end. */
const steps = ['limited-0', 'narrow-1', 'tx-2', 'end'] as const
const writesEffect = (step: string) => step === 'end' || step.startsWith('tx-')

export async function finishedWorld(database: TestDatabase): Promise<FinishedWorld> {
  await database.query(`${effectTable}; ${tables}`)
  await registerPipeline(database, slug, chain(...steps))
  await registerPipeline(database, 'chaos-light-turn', chain('turn'))
  for (const each of ['chaos-booking', 'chaos-tick', 'chaos-change', 'chaos-hooked'])
    await registerPipeline(database, each, chain('end'))
  await defineLimit(database, 'chaos-all', { kind: 'concurrency', capacity: 4, key: [] }, slug)
  const work = worksIn(database, await registerWorker(database))

  const random = await work.run(slug, { n: 1, shop: 1, expected: 1 })
  for (const shop of [1, 1, 2, 3]) await work.run(slug, { n: 1, shop, expected: 1 })
  for (const lane of [1, 1, 2, 3]) await work.run('chaos-light-turn', { n: 1, lane, expected: 1 })
  const failed = await work.failing({ n: 1, shop: 1, fails: true, expected: 1 })
  const cancelled = await work.start(slug, { n: 1, shop: 1, expected: 1 })
  await cancelRun(database, cancelled)
  const booked = await work.run('chaos-booking', { n: 1 })
  const change = await work.run('chaos-change', {
    operation: 'insert',
    key: { id: 1 },
    old: null,
    new: { version: 1 },
  })
  const hooked = await work.run('chaos-hooked', { n: 1 })
  await database.query(
    `insert into public.booked values ('${booked}'); insert into public.journal values (1, 1, 'insert');
     insert into millrace.change_watch (name, slug, table_schema, table_name, settings, source, changed_at, changed_by)
     values ('${watchName}', 'chaos-change', 'public', 'thing', '{}', 'code', now(), 'x');
     ${delivery(hooked)}`,
  )
  const ticks: string[] = []
  for (let tick = 0; tick < 5; tick++) ticks.push(await work.run('chaos-tick', null))
  const [each0, each1, each2, alone0, alone2] = ticks as [string, string, string, string, string]
  await fireSchedules(database, { each: [each0, each1, each2], alone: [alone0, alone2] })
  const runs = { random, failed, cancelled, booked, change, hooked, each0, each1, each2, alone0, alone2 }
  return {
    runs,
    acknowledged: {
      runs: [random, failed, cancelled, booked],
      deliveries: ['msg_1'],
      askedToCancel: [cancelled],
    },
    pipelines: [loadedOf()],
  }
}

function worksIn(database: TestDatabase, worker: Worker) {
  const start = async (pipeline: string, input: unknown) => (await startRun(database, pipeline, input)).run_id
  /** The next step of what was started, as its worker does it; answers with the task. */
  const begin = async (run: string, step: string) => {
    const task = await claimOne(database, worker)
    if (writesEffect(step))
      await database.query(
        'insert into public.effect (run_id, step, item, attempt, worker_pid) values ($1, $2, -1, $3, $4)',
        [run, step, task.attempt, pid],
      )
    return task
  }
  const runStep = async (run: string, step: string) => {
    const task = await begin(run, step)
    await complete(database, worker, [{ task, output: { n: 1, attempt: task.attempt, pid } }])
  }
  return {
    start,
    run: async (pipeline: string, input: unknown) => {
      const run = await start(pipeline, input)
      for (const step of pipeline === slug ? steps : [pipeline === 'chaos-light-turn' ? 'turn' : 'end'])
        await runStep(run, step)
      return run
    },
    /** Its first step fails for good. */
    failing: async (input: unknown) => {
      const run = await start(slug, input)
      const task = await begin(run, steps[0])
      const message = `It was told to fail: attempt ${task.attempt} of process ${pid}.`
      await fail(database, worker, [{ task, error: { code: 'permanent', message, retryable: false } }])
      return run
    },
  }
}

const delivery = (run: string) => `
  insert into millrace.webhook (name, provider, pipelines, secrets, settings, kept_days, by_worker, revision, created_at, changed_at, changed_by)
  values ('chaos-hooks', 'standard', '{chaos-hooked}', '{chaos/hooks}', '{}', 30, true, 1, now(), now(), 'x');
  insert into millrace.delivery (id, webhook, provider_id, received_at, judged_at, tries, repeats, state, status, headers)
  values (gen_random_uuid(), 'chaos-hooks', 'msg_1', now(), now(), 1, 0, 'accepted', 202, '{}');
  insert into millrace.delivery_run select id, 'chaos-hooked', 'started', '${run}' from millrace.delivery`

/** Three slots of the one, each with its run; and three of the other, of which the second came while the run of the first was live. */
async function fireSchedules(
  database: TestDatabase,
  { each, alone }: { readonly each: readonly string[]; readonly alone: readonly [string, string] },
): Promise<void> {
  const define = (name: string, settings: object) =>
    database.query('select millrace.define_schedule($1, $2, $3)', [
      name,
      'chaos-tick',
      JSON.stringify(settings),
    ])
  const catchUp = { catch_up: 'all', catch_up_max: 1_000, catch_up_window_ms: 3_600_000 }
  await define('chaos-each', { every_ms: 1_000, overlap: 'allow', ...catchUp })
  await define('chaos-alone', { cron: '*/2 * * * * *', timezone: 'UTC', overlap: 'skip' })
  const rows = [
    ...each.map((run, place) => ({ name: 'chaos-each', run, from: place, to: place + 0.1 })),
    { name: 'chaos-alone', run: alone[0], from: 0, to: 3 },
    { name: 'chaos-alone', run: null, from: 2, to: 2 },
    { name: 'chaos-alone', run: alone[1], from: 4, to: 4.1 },
  ]
  await database.query(
    `insert into millrace.firing (schedule_id, slot_at, overlap, kind, state, reason, run_id, due_at, fired_at, fired_by, started_at, ended_at, closed_at)
     select s.id, at.slot, s.overlap, 'scheduled', case when r.run is null then 'skipped' else 'completed' end, case when r.run is null then 'overlap' end,
            r.run, at.slot, at.slot, 'x', case when r.run is not null then at.slot end, case when r.run is not null then at.over end, at.over
       from jsonb_to_recordset($1) r(name text, run uuid, "from" float8, "to" float8) join millrace.schedule s on s.name = r.name
      cross join (select every_from from millrace.schedule where name = 'chaos-each') d
      cross join lateral (select d.every_from + make_interval(secs => r."from") as slot, d.every_from + make_interval(secs => r."to") as over) at`,
    [JSON.stringify(rows)],
  )
  for (const name of ['chaos-each', 'chaos-alone'])
    await database.query('select millrace.pause_schedule($1)', [name])
}

/** As the verdict is given them: only their recipes are asked. */
function loadedOf(): Loaded {
  const kinds = { limited: 'limited', narrow: 'narrow', tx: 'tx', end: 'end' } as const
  const recipe = steps.map((name, place) => ({
    name,
    kind: kinds[name.split('-')[0] as keyof typeof kinds],
    after: steps.slice(place - 1, place),
    n: 0,
  }))
  return { ...randomPipelines(1, 0)[0]!, recipe: { slug, steps: recipe } }
}
