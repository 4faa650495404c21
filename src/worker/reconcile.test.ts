// Lost answers: nothing is lost with them, nothing runs twice, nothing is left held.
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { findBrokenInvariants } from '../../test/checker.ts'
import { until } from '../../test/deadline.ts'
import { openProxy, type Proxy } from '../../test/faults/proxy.ts'
import { asOther, atRest, countStatements, openMillrace } from '../../test/millrace.ts'
import { attemptsOf, newId } from '../../test/protocol.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { Reconcile } from './reconcile.ts'

const { database, opened } = await openMillrace()
let proxy: Proxy
beforeAll(async () => {
  await database.query('create table effect (run text not null, step text not null)')
})
beforeEach(async () => {
  proxy = await openProxy(database.url)
})
// Workers end before what they speak through.
afterEach(async () => {
  await opened.close()
  await proxy.close()
})

const began: string[] = []
const numbered = z.object({ n: z.number() })
const chain = pipeline('chain', { input: numbered })
  .step('one', ({ input, run }) => {
    began.push(`${run.id} one`)
    return input.n
  })
  .step('two', ({ steps, run }) => {
    began.push(`${run.id} two`)
    return steps.one + 1
  })
const spread = pipeline('spread', { input: numbered })
  .step('list', ({ input }) => [input.n, input.n + 1, input.n + 2])
  .map('each', { over: 'list' }, ({ item, run, index }) => {
    began.push(`${run.id} each ${index}`)
    return item * 2
  })
  .step('sum', ({ steps }) => steps.each.reduce((sum, n) => sum + n, 0))
const effectful = pipeline('effectful', { input: numbered }).step(
  'write',
  { tx: true, retry: { initial: 0 } },
  async ({ sql, run, input }) => {
    await sql`insert into effect values (${run.id}, 'write')`
    return input.n
  },
)

const calling = pipeline('calling', { input: numbered }).step(
  'call',
  async ({ durable, input, run, attempt }) => {
    began.push(`${run.id} call ${attempt}`)
    return (await durable.call(chain, input)) * 10
  },
)

/** Its second step reads what the first gave only after the worker knows what became of that. */
const unhurried = pipeline('unhurried', { input: numbered })
  .step('one', ({ input }) => input.n)
  .step('two', async ({ steps }) => {
    await pause(1_500)
    return `${steps.one}`
  })

const pipelines = [chain, spread, effectful, calling, unhurried]
const behindProxy = () =>
  opened.worker({ database: proxy.through(database.url), pipelines, heartbeatMs: 3_000 })
const beganBy = (id: string) => began.filter((line) => line.startsWith(id)).toSorted()

/** The commit happens, its answer is lost, and every connection of the worker is reset. */
async function loseAnswerAndCut(statement: string, hasHappened: () => Promise<boolean>): Promise<void> {
  await proxy.loseAnswerTo(statement)
  await until(`${statement} is committed`, hasHappened)
  proxy.cut()
}

test('PP-C7 B5 the answer to a claim is lost: what it claimed is found and run, once', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const runId = newId()
  // Not that a task is held: the worker may have found it and ended the run before anybody looks.
  const lost = loseAnswerAndCut(
    'millrace_claim_tasks',
    async () =>
      (await database.query("select 1 from millrace.run where id = $1 and state <> 'pending'", [runId]))
        .length > 0,
  )
  const { run } = await client.start(chain, { n: 1 }, { runId })
  await lost
  expect(await client.run(run!.id).result()).toBe(2)
  expect(beganBy(run!.id)).toEqual([`${run!.id} one`, `${run!.id} two`])
})

test('PP-C7 B5 the answer to a completion is lost: the next step is found and run, and nothing runs twice', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(chain, [{ n: 1 }])
  const [{ run }] = answers as [(typeof answers)[number]]
  await loseAnswerAndCut(
    'millrace_complete_tasks',
    async () => (await attemptsOf(database, run!.id)).length > 0,
  )
  expect(await client.run(run!.id).result()).toBe(2)
  expect(beganBy(run!.id)).toEqual([`${run!.id} one`, `${run!.id} two`])
})

test('PP-C7 the answer to a completion is lost: the next step, begun before the completion sent again is answered, reads the output', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(unhurried, [{ n: 7 }])
  const [{ run }] = answers as [(typeof answers)[number]]
  await loseAnswerAndCut(
    'millrace_complete_tasks',
    async () => (await attemptsOf(database, run!.id)).length > 0,
  )
  expect(await client.run(run!.id).result()).toBe('7')
})

test('PP-C7 the answer that brings the items of a map is lost: each item is run once', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(spread, [{ n: 5 }])
  const [{ run }] = answers as [(typeof answers)[number]]
  await loseAnswerAndCut(
    'millrace_complete_tasks',
    async () => (await attemptsOf(database, run!.id)).length > 0,
  )
  expect(await client.run(run!.id).result()).toBe(36)
  expect(beganBy(run!.id)).toEqual([0, 1, 2].map((index) => `${run!.id} each ${index}`))
})

test.each(['park_tasks', 'complete_tasks'])(
  'PP-C7 B5 the answer to %s is lost that brings along whom a step calls, or who has called: each is found and run, once',
  async (statement) => {
    await behindProxy()
    const client = opened.client({ database: asOther(database.url) })
    const answers = await client.startMany(calling, [{ n: 1 }])
    const [{ run }] = answers as [(typeof answers)[number]]
    const ended = async () =>
      database.query<{ id: string; n: number }>(
        `select c.id, (select count(*)::int from millrace.attempt a where a.run_id = c.id) as n
           from millrace.run c where c.parent_run_id = $1`,
        [run!.id],
      )
    // The first completion is that of the first step of the run that is called.
    await loseAnswerAndCut(`millrace_${statement}`, async () => {
      const [child] = await ended()
      return child !== undefined && (statement === 'park_tasks' || child.n > 0)
    })
    expect(await client.run(run!.id).result()).toBe(20)
    const [child] = await ended()
    expect(beganBy(run!.id)).toEqual([`${run!.id} call 1`, `${run!.id} call 2`])
    expect(beganBy(child!.id)).toEqual([`${child!.id} one`, `${child!.id} two`])
  },
)

test.each([
  ['claim', 'one', ['released']],
  ['complete', 'two', ['completed', 'released']],
] as const)(
  'A9 a stop while the answer to %s_tasks is lost gives back what that brought, and no attempt is used up',
  async (verb, step, outcomes) => {
    const statements = countStatements()
    const worker = await behindProxy()
    // Or a claim that brings nothing loses its answer.
    await atRest(statements)
    statements.stop()
    const client = opened.client({ database: asOther(database.url) })
    const lost = proxy.loseAnswerTo(`millrace_${verb}_tasks`)
    const [answer] = await client.startMany(chain, [{ n: 1 }])
    const run = answer!.run!
    await lost
    const tasks = () =>
      database.query(
        `select d.step, t.worker_id is not null as held, t.failures from millrace.task t join millrace.step_definition d on d.id = t.step_id
          where t.run_id = $1`,
        [run.id],
      )
    const isHeld = async () =>
      JSON.stringify(await tasks()) === JSON.stringify([{ step, held: true, failures: 0 }])
    await until(`step ${step} is leased`, isHeld)
    const stopped = worker.stop()
    proxy.cut()
    await stopped
    expect((await attemptsOf(database, run.id)).map(({ outcome }) => outcome)).toEqual(outcomes)
    expect(await tasks()).toEqual([{ step, held: false, failures: 0 }])
  },
)

test('PP-C7 B5 the answer to a start is lost: it is the same start when it is asked again, also where it was handed over', async () => {
  await behindProxy()
  const client = opened.client({ database: proxy.through(database.url) })
  await client.start(chain, { n: 0 })
  const known = async () =>
    (await database.query<{ id: string }>('select id from millrace.run')).map(({ id }) => id)
  const before = await known()
  const lost = loseAnswerAndCut('millrace_start_runs', async () => (await known()).length > before.length)
  const { run } = await client.start(chain, { n: 41 })
  await lost
  expect(await client.run(run!.id).result()).toBe(42)
  expect((await known()).filter((id) => !before.includes(id))).toEqual([run!.id])
  expect(beganBy(run!.id)).toEqual([`${run!.id} one`, `${run!.id} two`])
})

test('B5 the answer to the commit of a tx step is lost: its effect is there once, and the run goes on', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(effectful, { n: 3 })
  await client.run(run!.id).result()
  const lost = proxy.loseAnswerTo('commit')
  const answers = await client.startMany(effectful, [{ n: 4 }])
  await lost
  proxy.cut()
  const second = answers[0]!.run!.id
  expect(await client.run(second).result()).toBe(4)
  const effects = async (id: string) =>
    (await database.query('select 1 from effect where run = $1', [id])).length
  expect(await effects(second)).toBe(1)
})

test('A3 B4 a tx step that falls silent between its completion and its commit ends after some seconds: until then nothing of its worker could be taken back', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const lost = proxy.loseAnswerTo('complete_tasks')
  const answers = await client.startMany(effectful, [{ n: 5 }])
  await lost
  await until(
    'the server has ended the transaction',
    async () =>
      (
        await database.query(
          "select from pg_stat_activity where datname = current_database() and application_name = 'millrace handlers' and state like 'idle in transaction%'",
        )
      ).length === 0,
    20_000,
  )
  const { id } = answers[0]!.run!
  expect(await client.run(id).result()).toBe(5)
  expect(await database.query('select step from effect where run = $1', [id])).toEqual([{ step: 'write' }])
})

test('every connection is cut again and again under load: every run ends, nothing is lost, and nothing is left held', async () => {
  await behindProxy()
  const client = opened.client({ database: asOther(database.url) })
  const answers = await client.startMany(
    chain,
    Array.from({ length: 300 }, (_, n) => ({ n })),
  )
  for (let cut = 0; cut < 5; cut++) {
    const before = (await database.query('select 1 from millrace.attempt')).length
    await until(
      'something has happened',
      async () =>
        (await database.query('select 1 from millrace.attempt')).length > before ||
        (await database.query('select 1 from millrace.task')).length === 0,
    )
    proxy.cut()
  }
  const outputs = await Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
  expect(outputs).toEqual(Array.from({ length: 300 }, (_, n) => n + 1))
  expect(
    await findBrokenInvariants(
      database,
      answers.map(({ run }) => run!.id),
    ),
  ).toEqual([])
})

test('a look after a lost answer leaves nothing behind in the signal that lives as long as the session, and ends with it', async () => {
  const ended = new AbortController()
  let looks = 0
  const reconcile = new Reconcile(() => Promise.resolve(void looks++), ended.signal)
  reconcile.want()
  await until('it has looked', () => looks > 0)
  expect(dependantsOf(ended.signal)).toBe(0)
  ended.abort()
  reconcile.want()
  expect(looks).toBe(1)
})

/** Signals that Node keeps in one because they were made of it; it keeps something of each, also when it is gone. */
function dependantsOf(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === 'kDependantSignals',
  )
  return key === undefined ? 0 : (Reflect.get(signal, key) as ReadonlySet<unknown>).size
}
