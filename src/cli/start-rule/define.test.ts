// Rules on starts on the command line: defined, listed and removed, and what a start is answered under them.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('a rule is defined, listed and removed, and a start says which rule stands against it', async () => {
  await registerPipeline(database, 'orders', chain('only'))
  const settings = (starts: number) => JSON.stringify({ kind: 'throttle', starts, per_ms: 3_600_000 })
  expect((await folder.call('start-rule', 'list')).stdout).toBe('There is no rule on starts.\n')
  expect((await folder.call('start-rule', 'define', 'orders', 'hourly', settings(1))).stdout).toBe(
    'Rule hourly on starts of orders is at revision 1.\n',
  )
  const stale = await folder.call(
    'start-rule',
    'define',
    'orders',
    'hourly',
    settings(2),
    '--if-revision',
    '7',
  )
  expect(stale.status).toBe(4)
  expect((await folder.call('start-rule', 'list', 'orders')).stdout).toContain('hourly')
  expect((await folder.call('run', 'start', 'orders', '{}')).status).toBe(0)
  const refused = await folder.call('run', 'start', 'orders', '{}')
  expect(refused.status).toBe(4)
  expect(refused.stderr).toContain("Rule 'hourly' on starts of 'orders' refuses it until ")
  expect((await folder.call('start-rule', 'remove', 'orders', 'hourly')).stdout).toBe(
    'Rule hourly on starts of orders is removed.\n',
  )
  expect(await folder.call('start-rule', 'remove', 'orders', 'hourly')).toMatchObject({
    status: 4,
    stdout: 'There was no such rule of orders.\n',
  })
  await folder.call('start-rule', 'define', 'orders', 'debounce', '{"kind":"debounce","wait_ms":60000}')
  const first = await folder.call('run', 'start', 'orders', '{"n":1}', '--json')
  const { run_id: run } = JSON.parse(first.stdout) as { run_id: string }
  expect((await folder.call('run', 'start', 'orders', '{"n":2}')).stdout).toContain(
    `No new run of orders: by rule 'debounce' on starts its input is that of run ${run}, which waits.`,
  )
  const told = (await folder.call('run', 'account', run)).stdout
  expect(told.replaceAll(/\s+/g, ' ')).toContain("It is of 2 starts, made one by debounce 'debounce'")
  expect((await folder.call('run', 'why', run)).stdout).toContain("by debounce 'debounce' on starts")
})
