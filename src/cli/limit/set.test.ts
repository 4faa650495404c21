// Limits on the command line: set, shown, listed and removed, within 80 columns, with their revision.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test('a limit is set, changed, shown, listed and removed', async () => {
  expect((await folder.call('limit', 'list')).stdout).toBe('There is no limit.\n')
  const set = await folder.call(
    ...['limit', 'set', 'geocoder', '--concurrency', '5', '--key', 'account.id', '--key', '$tenant'],
    ...['--for', 'sweep/enrich', '--for', 'queue:slow'],
  )
  expect(set.stdout).toBe(
    'Limit geocoder is at revision 1: 5 at once by account.id and $tenant, for sweep/enrich, queue slow.\n',
  )
  expect(
    await folder.call('limit', 'set', 'geocoder', '--concurrency', '9', '--if-revision', '4'),
  ).toMatchObject({
    status: 4,
  })
  const changed = await folder.call(
    'limit',
    'set',
    'geocoder',
    '--concurrency',
    '9',
    '--if-revision',
    '1',
    '--json',
  )
  expect(JSON.parse(changed.stdout)).toMatchObject({
    revision: 2,
    targets: [{ slug: 'sweep', step: 'enrich' }, { queue: 'slow' }],
  })
  expect(
    (await folder.call('limit', 'set', 'mails', '--rate', '100/1m', '--burst', '20', '--for', 'mails'))
      .stdout,
  ).toContain('100 in 1 min, 20 at once, for mails')
  expect(
    await folder.call('limit', 'set', 'mails', '--failures', '5', '--within', '1m', '--cooldown', '30s'),
  ).toMatchObject({ status: 2, stderr: expect.stringContaining('is of kind rate') as string })
  expect(await folder.call('limit', 'set', 'mails', '--failures', '5')).toMatchObject({ status: 2 })
  expect(await folder.call('limit', 'set', 'new', '--concurrency', '5')).toMatchObject({ status: 2 })
  expect(await folder.call('limit', 'set', 'new')).toMatchObject({ status: 2 })

  const turns = ['limit', 'set', 'turns', '--fairness', '--weight', 'acme=3', '--key', 'customer']
  expect((await folder.call(...turns, '--for', 'sweep')).stdout).toBe(
    'Limit turns is at revision 1: in turns, acme 3, others 1, by customer, for sweep.\n',
  )
  expect(await folder.call(...turns, '--weight', 'acme', '--for', 'sweep')).toMatchObject({ status: 2 })
  const order = ['limit', 'set', 'order', '--concurrency', '1', '--fifo', 'block', '--key', 'account']
  expect((await folder.call(...order, '--for', 'sweep')).stdout).toContain(
    '1 at once in strict order, whoever fails keeps its place by account',
  )
  for (const name of ['turns', 'order'])
    expect((await folder.call('limit', 'show', name)).stdout).toContain('It holds for sweep.')

  const listed = await folder.call('limit', 'list')
  expect(listed.stdout).toContain('geocoder')
  expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
  const shown = await folder.call('limit', 'show', 'geocoder')
  expect(shown.stdout).toContain('geocoder: 9 at once.\nIt holds for sweep/enrich, queue slow.\n')
  expect(shown.stdout).toContain("Revision 2, an operator's, changed by")
  expect(await folder.call('limit', 'show', 'nothing')).toMatchObject({ status: 4 })
  expect(await folder.call('limit', 'remove', 'geocoder', '--if-revision', '1')).toMatchObject({ status: 4 })
  expect((await folder.call('limit', 'remove', 'geocoder')).stdout).toBe('Limit geocoder is removed.\n')
  expect(await folder.call('limit', 'remove', 'geocoder')).toMatchObject({ status: 4 })
})

test('what a limit holds for is asked for in the words of the command, and a name that is none is refused', async () => {
  const concurrency = ['limit', 'set', 'slots', '--concurrency', '2']
  expect(await folder.call(...concurrency)).toEqual({
    status: 2,
    stdout: '',
    stderr:
      "Error: Limit 'slots' is new, and nothing says what it holds for. Say it with --for orders, --for orders/charge or --for queue:slow; several times for several.\n",
  })
  for (const target of ['{"slug": "orders"}', 'Orders', 'orders/', 'orders/a/b', 'queue:', 'queue:a b'])
    expect(await folder.call(...concurrency, '--for', target)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--for takes a pipeline, pipeline/step or queue:name') as string,
    })
  expect((await folder.call('limit', 'list')).stdout).not.toContain('slots')
})

test('a pipeline or step that is not there yet is taken with a note, since it may be mistyped', async () => {
  await registerPipeline(database, 'orders', chain('charge'))
  const set = (...targets: string[]) =>
    folder.call('limit', 'set', 'noted', '--concurrency', '2', ...targets.flatMap((one) => ['--for', one]))
  expect(await set('orders', 'orders/charge', 'queue:slow')).toMatchObject({ status: 0, stderr: '' })
  const { status, stderr } = await set('order', 'orders/chrage')
  expect(status).toBe(0)
  expect(stderr).toContain("No pipeline 'order' is registered yet")
  expect(stderr).toContain("Pipeline 'orders' has no step 'chrage' yet")
  const json = await folder.call('limit', 'set', 'noted', '--concurrency', '2', '--for', 'order', '--json')
  expect(json.stderr).toBe('')
})
