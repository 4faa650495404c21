// millrace signal send: what is sent wakes who waits for it, or is kept.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { startWaiting } from '../../../test/waiting-run.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('a signal reaches who waits for it, or is kept and says so', async () => {
  const waiting = pipeline('waiting').signal('paid')
  const run = await startWaiting(database, opened, waiting)
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
