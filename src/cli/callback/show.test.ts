// Callbacks on the command line: listed, shown attempt by attempt, and sent once more.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline, startRun } from '../../../test/protocol.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())
const call = folder.call

test('a callback is listed without its path, shown with each attempt, and sent once more; the account of its run tells it', async () => {
  await registerPipeline(database, 'order', chain('only'))
  const { run_id: run } = await startRun(database, 'order')
  const callbacks = [{ url: 'https://hooks.example.com/services/T0PSECRET', secret: 'hooks/runs' }]
  await database.query('select millrace.add_callbacks(array[$1::uuid], $2)', [run, JSON.stringify(callbacks)])
  expect((await call('callback', 'list')).stdout).toBe('There is no such callback.\n')
  await database.query('select millrace.complete_run($1, $2)', [run, '{"code":"broke","message":"it broke"}'])
  const [sent] = await database.query<{ id: string }>('select id, claim from millrace.claim_callbacks(10)')
  await database.query('select millrace.record_callback($1, 1, 410, null, 12, false, null, 0)', [sent!.id])

  const listed = (await call('callback', 'list', '--run', run, '--open')).stdout
  expect(listed).toMatch(/hooks\.ex.*disabled/)
  const shown = (await call('callback', 'show', sent!.id)).stdout
  expect(shown.replaceAll(/\s+/g, ' ')).toContain(
    `Run ${run} of order has failed; hooks.example.com is told, signed with 'hooks/runs'. It was given up on`,
  )
  expect(shown).toMatch(/12 ms +410/)
  expect(listed + shown).not.toContain('T0PSECRET')
  expect((await call('run', 'account', run)).stdout).toContain('disabled a callback, whose address is gone')
  expect((await call('callback', 'resend', sent!.id)).stdout).toBe(
    `Callback ${sent!.id} is sent once more.\n`,
  )
  expect((await call('callback', 'list', '--open')).stdout).toContain('waiting')
  const unknown = await call('callback', 'show', run)
  expect([unknown.status, unknown.stderr]).toEqual([
    4,
    expect.stringContaining(`There is no delivery '${run}'.`),
  ])
})

test('one address that is none, as SQL may have given it, takes no other callback out of the list', async () => {
  const { run_id: run } = await startRun(database, 'order')
  const callbacks = ['https://hooks.example.com:99999/x', 'https://hooks.example.org/'].map((url) => ({
    url,
    secret: 'a',
  }))
  await database.query('select millrace.add_callbacks(array[$1::uuid], $2)', [run, JSON.stringify(callbacks)])
  await database.query('select millrace.cancel_run($1)', [run])
  const { status, stdout } = await call('callback', 'list', '--run', run)
  expect([status, stdout]).toEqual([0, expect.stringMatching(/no addre[^]*hooks\.ex|hooks\.ex[^]*no addre/)])
})
