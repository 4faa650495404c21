// millrace approval: what is asked is listed, decided and delegated.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { startWaiting } from '../../../test/waiting-run.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('an approval is listed, delegated and decided, and says what keeps it from being decided again', async () => {
  const asking = pipeline('asking').approval('sign-off', {
    title: 'Ship version 3 to all customers in every region?',
    people: ['ann', 'bob'],
    roles: ['releaser'],
    quorum: 2,
  })
  expect((await folder.call('approval', 'list')).stdout).toBe('No approval is open.\n')
  const run = await startWaiting(database, opened, asking)
  const listed = await folder.call('approval', 'list')
  const [, id] = /\n([0-9a-f-]{36}) /.exec(listed.stdout)!
  expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
  expect(listed.stdout).toContain('0 of 2')
  const approve = (...args: string[]) => folder.call('approval', 'approve', id!, ...args)
  expect(await approve('--as', 'eve')).toMatchObject({ status: 4, stdout: '' })
  expect((await folder.call('approval', 'delegate', id!, 'cyd', '--as', 'bob')).stdout).toBe(
    `cyd may decide on approval ${id}.\n`,
  )
  expect((await approve('--as', 'cyd')).stdout).toBe(`Approval ${id} has 1 of 2 and stays open.\n`)
  const last = await approve('--as', 'dan', '--role', 'releaser', '--comment', 'at last', '--json')
  expect(JSON.parse(last.stdout)).toMatchObject({ state: 'approved', approvals: 2 })
  expect(await opened.client().run(run).result()).toMatchObject({ by: ['cyd', 'dan'] })
  expect((await folder.call('approval', 'reject', id!, '--as', 'ann')).stderr).toContain('approved')
  const [row] = JSON.parse((await folder.call('approval', 'list', '--state', 'all', '--json')).stdout)
  expect(row).toMatchObject({ id, run_id: run, state: 'approved' })
  expect((await folder.call('approval', 'approve', 'nonsense')).status).toBe(2)
})
