// Registration: the same graph is the same version, whoever registers it at once; what could not run is refused by name.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import {
  type Connection,
  cancelRun,
  chain,
  claim,
  connect,
  registerPipeline,
  registerWorker,
  startRun,
} from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const register = (slug: string, graph: unknown) =>
  database.query('select * from millrace.register_pipeline($1, $2)', [slug, JSON.stringify(graph)])

test('the same graph again is the same version; a changed one is a new version, and active', async () => {
  const first = await registerPipeline(database, 'versions', chain('a'))
  expect(first).toMatchObject({ version: 1, created: true, steps: [{ step: 'a', kind: 'step' }] })
  expect(await registerPipeline(database, 'versions', chain('a'))).toEqual({ ...first, created: false })
  const second = await registerPipeline(database, 'versions', chain('a', 'b'))
  expect(second).toMatchObject({ version: 2, created: true })
  const active = () => database.query("select active_version from millrace.pipeline where slug = 'versions'")
  expect(await active()).toEqual([{ active_version: 2 }])
  await registerPipeline(database, 'versions', chain('a'))
  expect(await active()).toEqual([{ active_version: 2 }])
  await database.query("select millrace.activate_pipeline('versions', 1)")
  expect(await active()).toEqual([{ active_version: 1 }])
  await expect(database.query("select millrace.activate_pipeline('versions', 3)")).rejects.toMatchObject({
    code: 'MR002',
  })
})

test('a graph registered by twenty connections at once is one version', async () => {
  const connections: Connection[] = await Promise.all(Array.from({ length: 20 }, () => connect(database)))
  const answers = await Promise.all(
    connections.map((connection) => registerPipeline(connection, 'at-once', chain('a', 'b'))),
  )
  expect(answers.filter(({ created }) => created)).toHaveLength(1)
  expect(new Set(answers.map(({ version, steps }) => JSON.stringify([version, steps]))).size).toBe(1)
  const different = await Promise.all(
    connections.map((connection, n) => registerPipeline(connection, 'at-once', chain(`s${n}`))),
  )
  expect(different.map(({ version }) => version).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, n) => n + 2),
  )
  await Promise.all(connections.map((connection) => connection.end()))
})

test('E12 a worker of an older version is never given a step of a newer one, and no attempt is used', async () => {
  const old = await registerPipeline(database, 'deployed', chain('a'))
  const worker = await registerWorker(database, { handlers: old.steps.map(({ handler }) => handler) })
  await registerPipeline(database, 'deployed', chain('a', 'b'))
  const { run_id } = await startRun(database, 'deployed')
  expect(await claim(database, worker, 10)).toEqual([])
  expect(
    await database.query('select attempt, worker_id from millrace.task where run_id = $1', [run_id]),
  ).toEqual([{ attempt: 0, worker_id: null }])
  const kept = await startRun(database, 'deployed', null, { version: 1 })
  expect(await claim(database, worker, 10)).toMatchObject([{ run_id: kept.run_id }])
  await cancelRun(database, run_id)
})

const step = { name: 'a' }
test.each([
  ['no object', 7, "The graph of pipeline 'refused' has no list of steps."],
  ['steps that are no list', { steps: { a: {} } }, "The graph of pipeline 'refused' has no list of steps."],
  ['null', null, "The graph of pipeline 'refused' has no list of steps."],
  ['no step', { steps: [] }, "The graph of pipeline 'refused' has no list of steps."],
  [
    'a step that is no object',
    { steps: ['a'] },
    "Step name 'null' of pipeline 'refused' is not of the form [a-z][a-z0-9-]*.",
  ],
  [
    'a name that SQL would see',
    { steps: [{ name: '"; drop' }] },
    `Step name '"; drop' of pipeline 'refused' is not of the form [a-z][a-z0-9-]*.`,
  ],
  [
    'a name of the end',
    { steps: [{ name: '$end' }] },
    "Step name '$end' of pipeline 'refused' is not of the form [a-z][a-z0-9-]*.",
  ],
  [
    'a long name',
    { steps: [{ name: 'a'.repeat(64) }] },
    `Step name '${'a'.repeat(64)}' of pipeline 'refused' is not of the form [a-z][a-z0-9-]*.`,
  ],
  ['a name twice', { steps: [step, step] }, "Pipeline 'refused' has two steps named 'a'."],
  [
    'an unknown kind',
    { steps: [{ name: 'a', kind: 'loop' }] },
    "Step 'a' of pipeline 'refused' is neither a step nor a map over another.",
  ],
  [
    'a map over nothing',
    { steps: [{ name: 'a', kind: 'map' }] },
    "Step 'a' of pipeline 'refused' is neither a step nor a map over another.",
  ],
  [
    'a map over null',
    { steps: [{ name: 'a', kind: 'map', over: null }] },
    "Pipeline 'refused' has no step '' of step 'a' to come after.",
  ],
  [
    'a step over another',
    { steps: [step, { name: 'b', over: 'a' }] },
    "Step 'b' of pipeline 'refused' is neither a step nor a map over another.",
  ],
  [
    'after that is no list',
    { steps: [{ name: 'a', after: 'b' }] },
    "Step 'a' of pipeline 'refused' is neither a step nor a map over another.",
  ],
  [
    'after an unknown step',
    { steps: [{ name: 'a', after: ['z'] }] },
    "Pipeline 'refused' has no step 'z' of step 'a' to come after.",
  ],
  [
    'after null',
    { steps: [{ name: 'a', after: [null] }] },
    "Pipeline 'refused' has no step '' of step 'a' to come after.",
  ],
  [
    'a map over an unknown step',
    { steps: [{ name: 'a', kind: 'map', over: 'z' }] },
    "Pipeline 'refused' has no step 'z' of step 'a' to come after.",
  ],
  [
    'a step after itself',
    { steps: [{ name: 'a', after: ['a'] }] },
    "Pipeline 'refused' has no step 'a' of step 'a' to come after.",
  ],
  [
    'a circle',
    {
      steps: [
        { name: 'a', after: ['b'] },
        { name: 'b', after: ['a'] },
      ],
    },
    "The steps of pipeline 'refused' wait for each other: 'a' is part of a cycle.",
  ],
  [
    '501 steps',
    { steps: Array.from({ length: 501 }, (_, n) => ({ name: `s${n}` })) },
    "The graph of pipeline 'refused' has 501 steps; 500 are the most.",
  ],
  [
    'a queue that is no name',
    { steps: [{ ...step, queue: 'GPU' }] },
    `Step 'a' of pipeline 'refused' has a queue of "GPU".`,
  ],
  [
    'no attempt',
    { steps: [{ ...step, max_attempts: 0 }] },
    "Step 'a' of pipeline 'refused' has a max_attempts of 0.",
  ],
  [
    'half an attempt',
    { steps: [{ ...step, max_attempts: 1.5 }] },
    "Step 'a' of pipeline 'refused' has a max_attempts of 1.5.",
  ],
  [
    'attempts in words',
    { steps: [{ ...step, max_attempts: 'many' }] },
    `Step 'a' of pipeline 'refused' has a max_attempts of "many".`,
  ],
  [
    'a timeout beyond 24 days',
    { steps: [{ ...step, timeout_ms: 1e18 }] },
    "Step 'a' of pipeline 'refused' has a timeout_ms of 1000000000000000000.",
  ],
  [
    'a negative delay',
    { steps: [{ ...step, backoff: { initial_ms: -1 } }] },
    "Step 'a' of pipeline 'refused' has a backoff.initial_ms of -1.",
  ],
  [
    'a factor below one',
    { steps: [{ ...step, backoff: { factor: 0.5 } }] },
    "Step 'a' of pipeline 'refused' has a backoff.factor of 0.5.",
  ],
  [
    'an unknown jitter',
    { steps: [{ ...step, backoff: { jitter: 'some' } }] },
    `Step 'a' of pipeline 'refused' has a backoff.jitter of "some".`,
  ],
  [
    'a key that is no list',
    { steps: [step], key: 'state' },
    "The key of pipeline 'refused' is no list of at most 10 paths into the input.",
  ],
  [
    'a key of texts',
    { steps: [step], key: ['state'] },
    "The key of pipeline 'refused' is no list of at most 10 paths into the input.",
  ],
  [
    'a key of an empty path',
    { steps: [step], key: [[]] },
    "The key of pipeline 'refused' is no list of at most 10 paths into the input.",
  ],
  [
    'too many paths in the clear',
    { steps: [step], encrypt: { clear: Array.from({ length: 21 }, (_, n) => [`p${n}`]) } },
    "The encrypt of pipeline 'refused' leaves 21 paths into the input in the clear, with those of the run key: at most 20 are allowed, each of 1 to 20 names.",
  ],
  [
    'an eleventh path in the clear that is none',
    { steps: [step], encrypt: { clear: [...Array.from({ length: 10 }, (_, n) => [`p${n}`]), 'p'] } },
    "The encrypt of pipeline 'refused' leaves 11 paths into the input in the clear, with those of the run key: at most 20 are allowed, each of 1 to 20 names.",
  ],
])('PP-D10 a graph with %s is refused by the database', async (_, graph, message) => {
  await expect(register('refused', graph)).rejects.toMatchObject({ code: 'MR001', message })
  expect(await database.query("select from millrace.pipeline where slug = 'refused'")).toEqual([])
})

test.each(['', 'Upper', 'a b', '1a', '"x"', 'a'.repeat(64)])(
  'H7 a pipeline named %j is refused',
  async (slug) => {
    await expect(register(slug, { steps: [step] })).rejects.toMatchObject({ code: 'MR001' })
  },
)

test('PP-D10 five hundred steps, each after all before it up to three, are taken', async () => {
  const names = Array.from({ length: 500 }, (_, n) => `s${n}`)
  const steps = names.map((name, n) => ({ name, after: names.slice(Math.max(0, n - 3), n) }))
  expect((await registerPipeline(database, 'large', steps.toReversed())).steps).toHaveLength(500)
})
