// What commands tell of a run, whatever its handlers and whoever started it have written.
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

// Writes to the clipboard, clears the screen, forges a line, and turns what follows.
const hostile = 'acme\u001b]52;c;eA==\u0007\u009b2J\nError: forged\u2028\u202etxet'
const escape = '\u001b'
const colours = new RegExp(`${escape}\\[(?:1|2|22|3[1-6]|39)m`, 'g')

const odd = pipeline('show-odd', {
  input: z.object({ customer: z.string(), fails: z.boolean() }),
  key: 'customer',
  retry: { attempts: 1 },
}).step('say', ({ input, progress }) => {
  progress(1, 2, input.customer)
  if (input.fails) throw new Error(`there is no ${input.customer}`)
  return input.customer
})

/** Nothing that a terminal obeys but ends of line, each of the command's own, and the colours that it paints with. */
function expectHarmless(text: string): void {
  expect(text.replaceAll(colours, '')).not.toMatch(/[^\P{Cc}\n]|[\p{Bidi_Control}\u2028\u2029]/u)
  expect(text).not.toMatch(/^Error: forged/m)
}

test('what a key, an error, a reason or an output holds is shown, and no terminal obeys it', async () => {
  const worker = await opened.worker({ pipelines: [odd] })
  const client = opened.client()
  const start = async (fails: boolean): Promise<string> =>
    (await client.start(odd, { customer: hostile, fails })).run!.id
  const failed = await start(true)
  const ended = await client
    .run(failed)
    .result()
    .catch((error: unknown) => String(error))
  expect(ended).toContain('\u001b]52')
  const watched = await folder.call('run', 'watch', failed)
  expect(watched).toMatchObject({ status: 4, stderr: expect.stringContaining('there is no acme') })
  const waited = await folder.call(
    ...['run', 'start', 'show-odd', JSON.stringify({ customer: hostile, fails: false }), '--wait'],
  )
  expect(waited.status).toBe(0)
  await worker.stop()
  const open = await start(false)
  await client.pausePipeline('show-odd', hostile)

  const calls = [
    ['run', 'watch', failed],
    ['run', 'show', failed],
    ['run', 'show', open],
    ['run', 'why', open],
    ['run', 'account', failed],
    ['run', 'list'],
    ['run', 'export', failed],
    ['run', 'start', 'show-odd', '{"customer":"b","fails":false}'],
  ]
  for (const { stdout, stderr } of [watched, waited]) expectHarmless(stdout + stderr)
  for (const call of calls) {
    for (const told of [await folder.call(...call), await folder.callOnTerminal(...call)]) {
      // What draws in its place writes that by itself.
      expectHarmless(told.stdout.replaceAll(new RegExp(`${escape}\\[\\d*[AJK]`, 'g'), '') + told.stderr)
    }
  }
  expect((await folder.call('run', 'show', failed)).stdout).toContain('run key   acme ]52;c;eA==')
  expect((await folder.call('run', 'why', open)).stdout).toContain('acme ]52;c;eA== 2J Error: forged txet')
  const { run } = JSON.parse((await folder.call('run', 'export', failed)).stdout).account
  expect(run.key).toBe(hostile)
})
