// What executors outside may get wrong: each argument that can't be right is an error with a code, and changes nothing.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { catalogue } from '../../../src/core/errors.ts'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  chain,
  claim,
  registerPipeline,
  registerWorker,
  startRun,
  startStep,
  type Worker,
} from '../../../test/protocol.ts'

let database: TestDatabase
let run: string
let mapped: string
let worker: Worker
beforeAll(async () => {
  database = await createTestDatabase()
  const served = await registerPipeline(database, 'served', chain('only'))
  worker = await registerWorker(database, { handlers: served.steps.map(({ handler }) => handler) })
  await registerPipeline(database, 'reported', [
    { name: 'held', after: [] },
    { name: 'free', after: [] },
  ])
  await registerPipeline(database, 'mapped', [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
  ])
  run = (await startRun(database, 'reported')).run_id
  await startStep(database, run, 'held')
  mapped = (await startRun(database, 'mapped')).run_id
})
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
  await database.close()
})

/** Everything that a refused call must leave as it was. */
const everything = () =>
  database.query(
    `select (select json_agg(t order by t.id) from millrace.task t) as tasks, (select json_agg(w order by w.id) from millrace.worker w) as workers,
            (select json_agg(r order by r.id) from millrace.run r) as runs, (select count(*) from millrace.attempt) as attempts,
            (select count(*) from millrace.event) as events`,
  )

const lost = catalogue.attempt_lost.sqlstate
const invalid = catalogue.argument_invalid.sqlstate

/** The verbs of a held step: their further arguments follow the attempt. */
const reports: [string, string][] = [
  ['heartbeat_step', ''],
  ['log_step', ", message => 'a line'"],
  ['complete_step', ''],
  ['fail_step', ", error => '{}'"],
  ['release_step', ''],
]

const wrong: [string, string, string][] = reports.flatMap(([verb, more]): [string, string, string][] => [
  [`${verb}(null, 'held', 1${more})`, invalid, 'run_id must be the id of a run, not null.'],
  [
    `${verb}($3, 'held', 1${more})`,
    catalogue.run_unknown.sqlstate,
    'There is no run 01890000-0000-7000-8000-000000000000.',
  ],
  [`${verb}($1, null, 1${more})`, invalid, 'step must be the name of a step, not null.'],
  [
    `${verb}($1, 'hold', 1${more})`,
    catalogue.step_not_in_run.sqlstate,
    "Pipeline 'reported' (version 1) has no step 'hold'.",
  ],
  [
    `${verb}($1, 'held', null${more})`,
    invalid,
    'attempt must be the number that start_step answered, not null.',
  ],
  [`${verb}($1, 'held', 0${more})`, invalid, 'attempt must be the number that start_step answered, not 0.'],
  [`${verb}($1, 'held', 2${more})`, lost, "Attempt 2 no longer holds step 'held' of run $1."],
  [`${verb}($1, 'free', 1${more})`, lost, "Attempt 1 no longer holds step 'free' of run $1."],
  [
    `${verb}($1, 'held', 1${more}, item => null)`,
    invalid,
    "item must be -1 or left out, as step 'held' is no map, not null.",
  ],
  [
    `${verb}($1, 'held', 1${more}, item => 0)`,
    invalid,
    "item must be -1 or left out, as step 'held' is no map, not 0.",
  ],
  [
    `${verb}($2, 'each', 1${more})`,
    invalid,
    "item must be the place of an item, from 0, as step 'each' is a map, not -1.",
  ],
  [`${verb}($2, 'each', 1${more}, item => 3)`, lost, "Attempt 1 no longer holds step 'each' of run $2."],
])
wrong.push(
  ["start_step(null, 'free')", invalid, 'run_id must be the id of a run, not null.'],
  ['start_step($1, null)', invalid, 'step must be the name of a step, not null.'],
  [
    "start_step($1, 'fre')",
    catalogue.step_not_in_run.sqlstate,
    "Pipeline 'reported' (version 1) has no step 'fre'.",
  ],
  [
    "start_step($1, 'free', item => 0)",
    invalid,
    "item must be -1 or left out, as step 'free' is no map, not 0.",
  ],
  [
    "start_step($2, 'each')",
    invalid,
    "item must be the place of an item, from 0, as step 'each' is a map, not -1.",
  ],
  ...(['null', '-5', '0', '31536001'] as const).map((seconds): [string, string, string] => [
    `start_step($1, 'free', lease_seconds => ${seconds})`,
    invalid,
    `lease_seconds must be from 1 to 31,536,000, not ${seconds}.`,
  ]),
  [
    "start_step($1, 'free', held_by => null)",
    invalid,
    'held_by must be a name of at least one character, not null.',
  ],
  [
    "start_step($1, 'free', held_by => '')",
    invalid,
    "held_by must be a name of at least one character, not ''.",
  ],
  ["log_step($1, 'held', 1, null)", invalid, 'message must be a text, not null.'],
  ["log_step($1, 'held', 1, 'm', null)", invalid, 'fields must be a JSON object, not null.'],
  ["log_step($1, 'held', 1, 'm', '[1]')", invalid, 'fields must be a JSON object, not a JSON array.'],
  ['complete_run(null)', invalid, 'run_id must be the id of a run, not null.'],
)

test.each(wrong)(
  'PP-C10 %s is refused with a code and a reason, and nothing is changed',
  async (call, code, message) => {
    const before = await everything()
    const ids: Record<string, string> = { $1: run, $2: mapped, $3: '01890000-0000-7000-8000-000000000000' }
    const named = (text: string) => text.replace(/\$\d/g, (name) => ids[name] ?? name)
    const literal = call.replace(/\$\d/g, (name) => `'${ids[name]}'`)
    await expect(database.query(`select millrace.${literal}`)).rejects.toMatchObject({
      code,
      message: named(message),
    })
    expect(await everything()).toEqual(before)
  },
)

test.each(reports)(
  "A3 %s with the attempt of a worker is refused: its task is not an outside executor's",
  async (verb, more) => {
    const { run_id } = await startRun(database, 'served')
    const [task] = await claim(database, worker, 1)
    await expect(
      database.query(`select millrace.${verb}('${run_id}', 'only', ${task?.attempt}${more})`),
    ).rejects.toMatchObject({ code: lost })
    const holder = await database.query("select * from millrace.start_step($1, 'only', holder => $2)", [
      run_id,
      worker.id,
    ])
    expect(holder).toMatchObject([{ started: false, reason: 'held' }])
    await database.query('select millrace.cancel_run($1), millrace.release_tasks($2, $3, $4, $5, $6)', [
      run_id,
      worker.id,
      worker.lockKey,
      [task?.task_id],
      [task?.step_id],
      [task?.attempt],
    ])
  },
)

test('an error that is no object, or none at all, is told in its own words', async () => {
  const errors: [string | null, Record<string, unknown>][] = [
    [null, { code: 'unknown', message: 'No reason was given.' }],
    ['"gave up"', { code: 'unknown', message: 'gave up' }],
    ['[1, 2]', { code: 'unknown', message: '[1, 2]' }],
  ]
  for (const [error, stored] of errors) {
    const { run_id } = await startRun(database, 'reported')
    await database.query('select millrace.start_step($1, $2, holder => $3)', [run_id, 'held', randomUUID()])
    await database.query('select millrace.fail_step($1, $2, 1, $3)', [run_id, 'held', error])
    const [attempt] = await database.query('select error from millrace.attempt where run_id = $1', [run_id])
    expect(attempt).toEqual({ error: stored })
  }
})
