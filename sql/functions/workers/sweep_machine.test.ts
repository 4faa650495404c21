// What a worker saw of its machine: whose process is gone is counted as gone at once, and nobody else.
import { beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import { attemptsOf, chain, claimOne, startRun, type Worker } from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
// The clock begins with the server: a sweep by locks and leases would have to wait for a lease.
beforeEach(() => database.clock.reset())

async function placed(worker: Worker, machine: string | null, host = 'here', pid = 7): Promise<Worker> {
  await database.query('update millrace.worker set machine = $2, host = $3, process_id = $4 where id = $1', [
    worker.id,
    machine,
    host,
    pid,
  ])
  return worker
}

async function sweepMachine(
  worker: Worker,
  dead: readonly Worker[],
  sql = database.query,
): Promise<string[]> {
  const ids = dead.map(({ id }) => id)
  const rows = (await sql('select id from millrace.sweep_machine($1, $2, $3)', [
    worker.id,
    worker.lockKey,
    ids,
  ])) as Array<{ id: string }>
  return rows.map(({ id }) => id)
}

async function goneReasons(workers: readonly Worker[]): Promise<Array<string | null>> {
  const rows = await database.query<{ id: string; gone_reason: string | null }>(
    'select id, gone_reason from millrace.worker where id = any ($1)',
    [workers.map(({ id }) => id)],
  )
  return workers.map(({ id }) => rows.find((row) => row.id === id)!.gone_reason)
}

test('A8 what a worker held whose process is gone is free after a second of silence, whatever its lease says', async () => {
  const dead = await placed(
    await workerOf(database, 'machine-dead', chain('only'), { leaseSeconds: 600 }),
    'm',
  )
  const heir = await placed(await workerFor(database, 'machine-dead'), 'm')
  const { run_id } = await startRun(database, 'machine-dead')
  const task = await claimOne(database, dead)
  expect(await sweepMachine(heir, [])).toEqual([dead.id])
  expect(await sweepMachine(heir, [dead])).toEqual([dead.id])
  expect(await goneReasons([dead])).toEqual([null])
  await database.clock.advance('1100 milliseconds')
  expect(await sweepMachine(heir, [dead])).toEqual([])
  expect(await goneReasons([dead])).toEqual(['its process died'])
  expect(await attemptsOf(database, run_id, 'only')).toMatchObject([{ outcome: 'reclaimed' }])
  expect(await claimOne(database, heir)).toMatchObject({ task_id: task.task_id, attempt: 2 })
})

test('a worker of another machine, of another host or of none is nobody of whom this one can say that it is dead', async () => {
  const own = await placed(await workerOf(database, 'machine-others', chain('only')), 'm2')
  const unplaced = await placed(await workerFor(database, 'machine-others'), null)
  const others = [
    await placed(await workerFor(database, 'machine-others'), 'n2'),
    await placed(await workerFor(database, 'machine-others'), 'm2', 'elsewhere'),
    await placed(await workerFor(database, 'machine-others'), null),
  ]
  await database.clock.advance('2 seconds')
  expect(await sweepMachine(own, [...others, own])).toEqual([])
  expect(await sweepMachine(unplaced, [...others, own])).toEqual([])
  expect(await goneReasons([...others, own])).toEqual([null, null, null, null])
})

test('a worker whose transaction is still under way is not ended by a neighbour, but by its next look', async () => {
  const dead = await placed(await workerOf(database, 'machine-busy', chain('only')), 'm3')
  const heir = await placed(await workerFor(database, 'machine-busy'), 'm3')
  await startRun(database, 'machine-busy')
  await one.query('begin')
  const task = await claimOne(one, dead)
  await database.clock.advance('2 seconds')
  expect(await sweepMachine(heir, [dead], other.query.bind(other))).toEqual([dead.id])
  await one.query('commit')
  expect(await sweepMachine(heir, [dead])).toEqual([])
  expect(await claimOne(database, heir)).toMatchObject({ task_id: task.task_id, attempt: 2 })
})
