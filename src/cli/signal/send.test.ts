// millrace signal send: what is sent wakes who waits for it, or is kept.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { until } from '../../../test/deadline.ts'
import { openOn, type Opened } from '../../../test/millrace.ts'
import { runOf } from '../../../test/protocol.ts'
import { pipeline } from '../../sdk/pipeline.ts'

let database: TestDatabase
let folder: Caller
let opened: Opened
beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url })
  opened = openOn(database)
})
afterEach(() => opened.close())
afterAll(async () => {
  folder.close()
  await database.close()
})

const started = async (one: Parameters<ReturnType<Opened['client']>['start']>[0]) => {
  await opened.worker({ pipelines: [one as never] })
  const { run } = await opened.client().start(one, null)
  await until('it waits', async () => (await runOf(database, run!.id)).state === 'waiting')
  return run!.id
}

test('a signal reaches who waits for it, or is kept and says so', async () => {
  const waiting = pipeline('waiting').signal('paid')
  const run = await started(waiting)
  const early = await folder.call('signal', 'send', 'later', '{"n": 1}')
  expect(early.stdout).toBe("Signal 'later' is kept for the next step that waits for it.\n")
  const sent = await folder.call('signal', 'send', 'paid', '{"amount": 5}', '--run', run)
  expect(sent.stdout).toBe("Signal 'paid' reached 1 waiting step.\n")
  expect(await opened.client().run(run).result()).toMatchObject({ payload: { amount: 5 } })
  const late = await folder.call('signal', 'send', 'paid', '--run', run, '--json')
  expect(JSON.parse(late.stderr).error.code).toBe('run_ended')
  expect((await folder.call('signal', 'send', 'paid', '{', '--run', run)).status).toBe(2)
  expect((await folder.call('signal', 'send', 'paid', '--all', '--run', run)).status).toBe(2)
})
