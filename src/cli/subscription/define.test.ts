// Events and subscriptions on the command line: defined, emitted, listed, paused and removed.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())
const call = folder.call

test('a subscription is defined, listed, paused and removed, and the list of events says what each started', async () => {
  await registerPipeline(database, 'welcome', chain('only'))
  expect((await call('subscription', 'list')).stdout).toBe('There is no such subscription.\n')
  expect((await call('event', 'list')).stdout).toBe('There is no such event.\n')
  const define = [
    'subscription',
    'define',
    'joined',
    'person.changed',
    'welcome',
    '--filter',
    '{"kind":"joined"}',
  ]
  expect((await call(...define, '--map', 'person=who.id')).stdout).toBe(
    "Event 'person.changed' starts welcome by subscription joined, revision 1.\n",
  )
  expect((await call('subscription', 'list', '--event', 'person.changed')).stdout).toContain('{"kind')
  const emitted = await call('event', 'emit', 'person.changed', '{"kind":"joined","who":{"id":7}}', '--json')
  const { id } = JSON.parse(emitted.stdout) as { id: string }
  expect((await call('event', 'list')).stdout).toContain('not yet')
  await database.query('select millrace.work_events()')
  const [run] = await database.query<{ id: string; input: unknown }>('select id, input from millrace.run')
  expect(run?.input).toEqual({ person: 7 })
  const told = JSON.parse((await call('event', 'list', '--json')).stdout) as Array<{
    id: string
    starts: unknown[]
  }>
  expect(told).toMatchObject([{ id, starts: [{ subscription: 'joined', run: run!.id }] }])

  expect((await call('subscription', 'pause', 'joined')).stdout).toBe('Subscription joined is paused.\n')
  expect((await call('subscription', 'pause', 'joined')).stdout).toBe(
    'Subscription joined is already paused.\n',
  )
  await call('event', 'emit', 'person.changed', '{"kind":"joined"}')
  await database.query('select millrace.work_events()')
  expect((await call('event', 'list', '--limit', '1')).stdout).toContain('welcome refused: paused')
  expect((await call('subscription', 'remove', 'joined', '--if-revision', '1')).status).toBe(4)
  expect((await call('subscription', 'resume', 'joined')).stdout).toBe('Subscription joined goes on.\n')
  expect((await call('subscription', 'remove', 'joined')).stdout).toBe('Subscription joined is removed.\n')
  const gone = await call('subscription', 'remove', 'joined')
  expect([gone.status, gone.stderr]).toEqual([
    4,
    expect.stringContaining("There is no subscription 'joined'."),
  ])
  expect((await call('subscription', 'define', 'x', 'y', 'welcome', '--filter', '[1]')).status).toBe(2)
})
