// Named locks at the SQL level: one holder, first come first served, free with the attempt's end, and no circle, with several workers at once.
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  cancelRun,
  chain,
  claimOne,
  complete,
  registerPipeline,
  registerWorker,
  type Sql,
  startRun,
  sweep,
  type Task,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one: here, other: there } = await openMeeting()

interface Answer {
  readonly kind: string
  readonly token: string | null
}

interface Asker {
  readonly worker: Worker
  readonly task: Task
}

let slugs = 0

/** An attempt under way, on a worker of its own. */
async function asker(options: { tenant?: string; steps?: string[] } = {}): Promise<Asker> {
  const slug = `locks-${++slugs}`
  const { steps } = await registerPipeline(database, slug, chain(...(options.steps ?? ['one'])))
  const worker = await registerWorker(database, { handlers: steps.slice(0, 1).map(({ handler }) => handler) })
  await startRun(database, slug, null, options.tenant === undefined ? {} : { tenant: options.tenant })
  return { worker, task: await claimOne(database, worker) }
}

async function take(
  { worker, task }: Asker,
  name: string,
  request: string,
  { waitMs, sql = database }: { waitMs?: number; sql?: Sql } = {},
): Promise<Answer> {
  const [answer] = await sql.query<{ kind: string; token: string | null }>(
    'select * from millrace.take_lock($1, $2, $3, $4, $5, $6, $7, $8)',
    [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt, request, name, waitMs ?? null],
  )
  return answer!
}

async function release({ worker }: Asker, request: string): Promise<boolean> {
  const [row] = await database.query<{ held: boolean }>('select millrace.release_lock($1, $2) as held', [
    worker.id,
    request,
  ])
  return row!.held
}

const kindOf = async (answer: Promise<Answer>): Promise<string> => (await answer).kind

test('FO-11 of many that ask for one lock at once exactly one gets it, and the others wait', async () => {
  const askers = await Promise.all(Array.from({ length: 8 }, () => asker()))
  const answers = await Promise.all(askers.map((one) => take(one, 'at-once', randomUUID())))
  expect(answers.filter(({ kind }) => kind === 'held')).toHaveLength(1)
  expect(answers.filter(({ kind }) => kind === 'waiting')).toHaveLength(7)
})

test('FO-11 who asks again under one request while the first call is still under way hears the same, and stands in line once', async () => {
  const one = await asker()
  const request = randomUUID()
  const [first, again] = [here, there]
  await first.query('begin')
  const token = (await take(one, 'asked-twice', request, { sql: first })).token
  const repeated = take(one, 'asked-twice', request, { sql: again })
  await untilBlocked(database)
  await first.query('commit')
  expect(await repeated).toEqual({ kind: 'held', token })
  expect(await database.query("select from millrace.lock_request where name = 'asked-twice'")).toHaveLength(1)
})

test('FO-11 a lock goes to who asked first, whoever asks again first; and its tokens rise', async () => {
  const askers = await Promise.all([asker(), asker(), asker(), asker()])
  const requests = askers.map(() => randomUUID())
  const [first] = [await take(askers[0]!, 'in-line', requests[0]!)]
  for (const place of [1, 2, 3]) await take(askers[place]!, 'in-line', requests[place]!)
  let token = Number(first.token)
  for (const place of [1, 2, 3]) {
    expect(await release(askers[place - 1]!, requests[place - 1]!)).toBe(true)
    // The last one asks again before whose turn it is.
    if (place < 3) expect(await kindOf(take(askers[3]!, 'in-line', requests[3]!))).toBe('waiting')
    const taken = await take(askers[place]!, 'in-line', requests[place]!)
    expect(taken.kind).toBe('held')
    expect(Number(taken.token)).toBeGreaterThan(token)
    token = Number(taken.token)
  }
})

test('FO-11 a new one can not pass those that wait, between the end of the holder and their next look', async () => {
  const [holder, waiter, late] = await Promise.all([asker(), asker(), asker()])
  const [mine, waits] = [randomUUID(), randomUUID()]
  await take(holder!, 'no-passing', mine)
  await take(waiter!, 'no-passing', waits)
  await release(holder!, mine)
  expect(await kindOf(take(late!, 'no-passing', randomUUID()))).toBe('waiting')
  expect(await kindOf(take(waiter!, 'no-passing', waits))).toBe('held')
})

test('FO-11 a lock is free with its attempt, in the same transaction: not before it is committed, and at once after it', async () => {
  const [holder, waiter] = await Promise.all([asker(), asker()])
  await take(holder!, 'with-its-end', randomUUID())
  const waits = randomUUID()
  expect(await kindOf(take(waiter!, 'with-its-end', waits))).toBe('waiting')
  const ending = here
  await ending.query('begin')
  await complete(ending, holder!.worker, [{ task: holder!.task }])
  expect(await kindOf(take(waiter!, 'with-its-end', waits))).toBe('waiting')
  await ending.query('commit')
  expect(await kindOf(take(waiter!, 'with-its-end', waits))).toBe('held')
})

test('FO-11 the next step of a chain, which keeps the row of its task, does not keep the lock of the one before it', async () => {
  const [holder, waiter] = await Promise.all([asker({ steps: ['one', 'two'] }), asker()])
  await take(holder!, 'chained', randomUUID())
  await complete(database, holder!.worker, [{ task: holder!.task }])
  expect(await kindOf(take(waiter!, 'chained', randomUUID()))).toBe('held')
})

test('FO-11 E7 the lock of a worker that is gone goes to the next one when its task is reclaimed, and its zombie gets and renews nothing', async () => {
  await database.clock.freeze()
  const [holder, waiter] = await Promise.all([asker(), asker()])
  const mine = randomUUID()
  const waits = randomUUID()
  const old = await take(holder!, 'reclaimed', mine)
  await take(waiter!, 'reclaimed', waits)
  // Nobody is swept within one lease of the server's start.
  await database.clock.advance('1 minute')
  await database.query(
    "update millrace.worker set heartbeat_at = millrace.now(), lease_expires_at = millrace.now() + interval '10 s' where id = $1",
    [waiter!.worker.id],
  )
  expect(await kindOf(take(waiter!, 'reclaimed', waits))).toBe('waiting')
  await sweep(database)
  const taken = await take(waiter!, 'reclaimed', waits)
  expect(taken.kind).toBe('held')
  expect(Number(taken.token)).toBeGreaterThan(Number(old.token))
  expect(await kindOf(take(holder!, 'reclaimed', mine))).toBe('lost')
  expect(await kindOf(take(holder!, 'reclaimed', randomUUID()))).toBe('lost')
  await database.clock.reset()
})

test('FO-11 two that find a dead holder at once: the first in line has the lock, once', async () => {
  const [holder, first, second] = await Promise.all([asker(), asker(), asker()])
  await take(holder!, 'both-find', randomUUID())
  const requests = [randomUUID(), randomUUID()]
  await take(first!, 'both-find', requests[0]!)
  await take(second!, 'both-find', requests[1]!)
  await complete(database, holder!.worker, [{ task: holder!.task }])
  await here.query('begin')
  expect(await kindOf(take(first!, 'both-find', requests[0]!, { sql: here }))).toBe('held')
  // The same request again, over another connection, as after a lost answer: it waits for the first and gives the same token.
  const again = take(first!, 'both-find', requests[0]!, { sql: there })
  await untilBlocked(database)
  expect(await kindOf(take(second!, 'both-find', requests[1]!))).toBe('waiting')
  await here.query('commit')
  expect(['held', 'waiting']).toContain((await again).kind)
  expect(await kindOf(take(first!, 'both-find', requests[0]!))).toBe('held')
  const [{ holders } = { holders: 0 }] = await database.query<{ holders: number }>(
    "select count(*)::int as holders from millrace.lock_request where name = 'both-find' and token is not null",
  )
  expect(holders).toBe(1)
})

test('FO-11 who would wait in a circle is told so: the youngest of it alone', async () => {
  const [one, two, three] = await Promise.all([asker(), asker(), asker()])
  await take(one!, 'circle-a', randomUUID())
  await take(two!, 'circle-b', randomUUID())
  await take(three!, 'circle-c', randomUUID())
  const [ofOne, ofTwo] = [randomUUID(), randomUUID()]
  expect(await kindOf(take(one!, 'circle-b', ofOne))).toBe('waiting')
  expect(await kindOf(take(two!, 'circle-c', ofTwo))).toBe('waiting')
  expect(await kindOf(take(three!, 'circle-a', randomUUID()))).toBe('circle')
  expect(await kindOf(take(one!, 'circle-b', ofOne))).toBe('waiting')
  expect(await kindOf(take(two!, 'circle-c', ofTwo))).toBe('waiting')
  expect(await kindOf(take(one!, 'circle-a', randomUUID()))).toBe('circle')
})

test('FO-11 nobody waits in a circle over a holder whose attempt is over or was told to stop: it lets go by itself', async () => {
  for (const end of ['completed', 'cancelled']) {
    const [holder, first, second] = await Promise.all([asker(), asker(), asker()])
    await take(holder!, `${end}-a`, randomUUID())
    await take(second!, `${end}-b`, randomUUID())
    expect(await kindOf(take(holder!, `${end}-b`, randomUUID()))).toBe('waiting')
    await take(first!, `${end}-a`, randomUUID())
    if (end === 'cancelled') await cancelRun(database, holder!.task.run_id)
    else await complete(database, holder!.worker, [{ task: holder!.task }])
    expect(await kindOf(take(second!, `${end}-a`, randomUUID())), end).toBe('waiting')
  }
})

test('FO-11 waiting has an end by the database clock, and who waited too long is passed by', async () => {
  await database.clock.freeze()
  const [holder, waiter, next] = await Promise.all([asker(), asker(), asker()])
  const mine = randomUUID()
  const waits = randomUUID()
  await take(holder!, 'in-time', mine)
  expect(await kindOf(take(waiter!, 'in-time', waits, { waitMs: 2_000 }))).toBe('waiting')
  const others = randomUUID()
  await take(next!, 'in-time', others)
  expect(await kindOf(take(next!, 'in-time', randomUUID(), { waitMs: 0 }))).toBe('timeout')
  await database.clock.advance(2_001)
  await release(holder!, mine)
  expect(await kindOf(take(next!, 'in-time', others))).toBe('held')
  expect(await kindOf(take(waiter!, 'in-time', waits))).toBe('timeout')
  await database.clock.reset()
})

test('FO-11 one tenant does not wait for the lock of another', async () => {
  const askers = await Promise.all([asker({ tenant: 'a' }), asker({ tenant: 'b' }), asker()])
  const kinds = await Promise.all(askers.map((one) => kindOf(take(one, 'same-name', randomUUID()))))
  expect(kinds).toEqual(['held', 'held', 'held'])
})

test('an attempt whose run was cancelled leaves the line, and keeps what it holds until it has ended', async () => {
  const [holder, waiter, next] = await Promise.all([asker(), asker(), asker()])
  const [mine, waits, others] = [randomUUID(), randomUUID(), randomUUID()]
  await take(holder!, 'cancelled', mine)
  await take(waiter!, 'cancelled', waits)
  await take(next!, 'cancelled', others)
  await cancelRun(database, waiter!.task.run_id)
  await cancelRun(database, holder!.task.run_id)
  expect(await kindOf(take(next!, 'cancelled', others))).toBe('waiting')
  await release(holder!, mine)
  expect(await kindOf(take(waiter!, 'cancelled', waits))).toBe('lost')
  expect(await kindOf(take(next!, 'cancelled', others))).toBe('held')
})

test('why names the lock that a step waits for, who holds it, and how many come before', async () => {
  const [holder, before, waiter] = await Promise.all([asker(), asker(), asker()])
  await take(holder!, 'stripe', randomUUID())
  await take(before!, 'stripe', randomUUID())
  await take(waiter!, 'stripe', randomUUID())
  const [told] = await database.query<{ reason: string; sentence: string }>(
    'select reason, sentence from millrace.why($1)',
    [waiter!.task.run_id],
  )
  expect(told!.reason).toBe('lock')
  expect(told!.sentence).toMatch(
    new RegExp(
      `^'one' waits since .* for the lock 'stripe', which 'one' of run ${holder!.task.run_id} holds since .*; one other comes before it\\.$`,
    ),
  )
})

test('what counts no more is cleared away, in batches', async () => {
  const ended = await Promise.all([asker(), asker(), asker()])
  for (const one of ended) await take(one, `cleared-${one.task.run_id}`, randomUUID())
  const live = await asker()
  await take(live, 'not-cleared', randomUUID())
  for (const { worker, task } of ended) await complete(database, worker, [{ task }])
  const prune = async () =>
    (await database.query<{ more: boolean }>('select millrace.prune_locks(2) as more'))[0]!.more
  while (await prune());
  const left = await database.query<{ name: string }>(
    "select name from millrace.lock_request where name like 'cleared-%' or name = 'not-cleared'",
  )
  expect(left).toEqual([{ name: 'not-cleared' }])
})
