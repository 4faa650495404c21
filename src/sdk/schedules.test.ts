// Who may do what with schedules, what they refuse, and what goes with a run, a tenant or the time.
import { expect, onTestFinished, test } from 'vitest'
import { createLogin } from '../../test/login.ts'
import { openMillrace } from '../../test/millrace.ts'
import { chain, registerPipeline, registerWorker, workOff } from '../../test/protocol.ts'
import { firingsOf, schedulerOn } from '../../test/schedules.ts'
import { until } from '../../test/deadline.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()
const schedule = schedulerOn(database.pool)
await registerPipeline(database, 'plain', chain('only'))

const since = new Date(0)

test('operators define and steer schedules, viewers read them, and neither writes their rows', async () => {
  const operator = await createLogin(database, 'millrace_operator')
  const viewer = await createLogin(database, 'millrace_viewer')
  onTestFinished(async () => {
    await opened.close()
    await Promise.all([operator.close(), viewer.close()])
  })
  const steering = opened.client({ database: operator.url }).schedules
  const reading = opened.client({ database: viewer.url }).schedules
  await steering.define('rights', { pipeline: 'plain', every: '1d' })
  await steering.pause('rights')
  await steering.resume('rights')
  expect(await steering.trigger('rights')).toMatchObject({ state: 'started' })
  expect(await reading.list({ pipeline: 'plain' })).toMatchObject([
    { name: 'rights', lastFiring: { kind: 'triggered' } },
  ])
  expect(await reading.next('rights', { count: 2 })).toHaveLength(2)
  await expect(reading.define('other', { pipeline: 'plain', every: '1d' })).rejects.toMatchObject({
    code: 'database_rights_missing',
  })
  await expect(reading.trigger('rights')).rejects.toMatchObject({ code: 'database_rights_missing' })
})

test('the list comes by name, a page at a time, for one tenant', async () => {
  const { schedules } = opened.client()
  for (const name of ['page:a', 'page:b', 'page:c'])
    await schedules.define(name, {
      pipeline: 'plain',
      every: '1d',
      tenant: name === 'page:c' ? 'two' : 'one',
    })
  const names = async (options: Parameters<typeof schedules.list>[0]) =>
    (await schedules.list(options)).map(({ name }) => name)
  expect(await names({ tenant: 'one' })).toEqual(['page:a', 'page:b'])
  expect(await names({ tenant: 'one', after: 'page:a' })).toEqual(['page:b'])
  expect(await names({ after: 'page:a', most: 1 })).toEqual(['page:b'])
})

test('a pipeline whose inputs are encrypted is not scheduled', async () => {
  const secret = pipeline('secret', { encrypt: true }).step('only', () => 1)
  const keys = { first: Buffer.alloc(32, 7).toString('base64') }
  const worker = await opened.worker({ pipelines: [secret], encryptionKeys: keys })
  await worker.stop()
  await expect(
    opened.client().schedules.define('sealed', { pipeline: 'secret', every: '1d' }),
  ).rejects.toMatchObject({
    code: 'schedule_invalid',
    message: expect.stringContaining('encrypted') as string,
    hint: expect.stringContaining('durable.call(') as string,
  })
})

let rounds = 0
const again = pipeline('again').step('only', async ({ durable }) => {
  if (rounds++ === 0) await durable.continueAs({})
})

test('RR-1 a run that goes on as another one hands its firing on', async () => {
  const client = opened.client()
  await opened.worker({ pipelines: [again] })
  await client.schedules.define('again', { pipeline: again, every: '1d' })
  const { run } = await client.schedules.trigger('again')
  const [firing] = await until('it has completed', async () => {
    const found = await client.schedules.firings('again', { states: ['completed'] })
    return found.length > 0 && found
  })
  expect(firing!.runId).not.toBe(run!.id)
  expect(rounds).toBe(2)
})

test('firings are forgotten with the history, a run takes its own along, and a tenant all of its schedules', async () => {
  await registerPipeline(database, 'kept', chain('only'))
  const { schedules } = opened.client()
  for (const tenant of ['old', 'gone'])
    await schedules.define(`kept:${tenant}`, { pipeline: 'kept', every: '1d', tenant })
  const { run } = await schedules.trigger('kept:gone')
  await schedules.trigger('kept:old')
  await workOff(database, await registerWorker(database))
  await schedule()
  expect(await firingsOf(database, 'kept:%', since)).toMatchObject([
    { state: 'completed' },
    { state: 'completed' },
  ])
  await database.query('select millrace.delete_run($1)', [run!.id])
  expect(await firingsOf(database, 'kept:gone', since)).toEqual([])
  for (let more = true; more; )
    more = (await database.query<{ more: boolean }>(`select more from millrace.erase_tenant('gone')`))[0]!
      .more
  expect(await schedules.find('kept:gone')).toBeUndefined()
  expect(await database.query(`select 1 from millrace.schedule where tenant = 'gone'`)).toEqual([])

  await schedules.remove('kept:old')
  await database.query(
    `update millrace.firing set closed_at = closed_at - interval '400 days' where closed_at is not null;
     update millrace.schedule set retired_at = retired_at - interval '400 days' where retired_at is not null`,
  )
  await database.query('select millrace.prune_history(1000)')
  expect(await database.query(`select 1 from millrace.schedule where name = 'kept:old'`)).toEqual([])
  expect(await firingsOf(database, 'kept:%', since)).toEqual([])
})
