// JSON that commands are given: typed, or from stdin, and refused by the name that it has on the command line.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../test/commands.ts'
import { openMillrace } from '../../test/millrace.ts'
import { chain, registerPipeline } from '../../test/protocol.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

const id = '01a1fc9e-5f80-77ff-8c73-f01c878af2ee'
const takers: ReadonlyArray<readonly [string, readonly string[]]> = [
  ['The input', ['run', 'start', 'orders', '-']],
  ['--input', ['run', 'rerun', id, '--input', '-']],
  ['--input', ['run', 'migrate', 'orders', '--from', '1', '--input', '-']],
  ['The payload', ['signal', 'send', 'paid', '-']],
  ['The payload', ['event', 'emit', 'order.paid', '-']],
  ['The input', ['schedule', 'trigger', 'nightly', '-']],
  ['--input', ['schedule', 'define', 'nightly', 'orders', '--every', '1h', '--input', '-']],
  ['--expect', ['schedule', 'define', 'nightly', 'orders', '--every', '1h', '--expect', '-']],
  ['--value', ['approval', 'approve', id, '--value', '-']],
  ['The settings', ['start-rule', 'define', 'orders', 'hourly', '-']],
  ['--filter', ['subscription', 'define', 'joined', 'person.changed', 'orders', '--filter', '-']],
]

test.each(takers)('%s of %j is read from stdin where it is -', async (what, args) => {
  expect(await folder.callWithInput("{'a': 1}", ...args)).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(
      `^Error: ${what} is not JSON: .*Quote it for your shell, as in '{"name": "Ada"}'; - reads it from stdin.`,
    ) as string,
  })
  expect(await folder.callWithInput('\n', ...args)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(`${what} is empty.`) as string,
  })
})

test('what comes from stdin is what is sent', async () => {
  await folder.callWithInput('{"cents": 5}\n', 'signal', 'send', 'paid', '-')
  expect(await database.query('select payload from millrace.signal')).toEqual([{ payload: { cents: 5 } }])
})

test('stdin holds one value: a schedule can take either its input or what it expects from there', async () => {
  await registerPipeline(database, 'orders', chain('only'))
  const define = ['schedule', 'define', 'nightly', 'orders', '--every', '1h', '--input', '-', '--expect', '-']
  expect(await folder.callWithInput('{}', ...define)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Only one of --input and --expect can come from stdin.') as string,
  })
})
