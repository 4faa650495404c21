// Schedules on the command line: defined, shown, steered, fired by hand and removed, within 80 columns, with their revision.
import { afterAll, expect, test } from 'vitest'
import { openFolder, sdkAddress } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { schedulerOn } from '../../../test/schedules.ts'

const { database } = await openMillrace()
const serveApi = servedApiOn(database)
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

const call = async (...words: string[]) => {
  const { stdout, stderr, status } = await folder.call('schedule', ...words)
  if (['list', 'show', 'firings'].includes(words[0] ?? ''))
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  return { stdout, stderr, status }
}

test('a schedule is defined, shown, paused, resumed, triggered, filled in and removed', async () => {
  await registerPipeline(database, 'digest', chain('only'))
  expect((await call('list')).stdout).toBe('There is no schedule.\n')
  const defined = await call(
    ...[
      'define',
      'morning',
      'digest',
      '--cron',
      '0 7 * * 1-5',
      '--timezone',
      'Europe/Berlin',
      '--input',
      '{"of": 1}',
    ],
    ...[
      '--overlap',
      'queue-one',
      '--catch-up',
      'all',
      '--catch-up-max',
      '3',
      '--deadline',
      '2h',
      '--pause-after',
      '5',
    ],
    ...['--jitter', '5m', '--ends', '2030-01-01T00:00Z'],
  )
  expect(defined.stdout).toBe(
    'Schedule morning is at revision 1: it starts digest, 0 7 * * 1-5 in Europe/Berlin.\n',
  )
  expect(await call('define', 'morning', 'digest', '--every', '1h', '--if-revision', '7')).toMatchObject({
    status: 4,
  })
  expect(await call('define', 'bad', 'digest', '--cron', '0 25 * * *')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('position 3') as string,
  })
  expect(await call('define', 'bad', 'nothing', '--every', '1h')).not.toMatchObject({ status: 0 })
  // What goes together with nothing is refused, and not left out.
  expect(
    await call('define', 'bad', 'digest', '--every', '1h', '--catch-up', 'none', '--stagger', '1m'),
  ).toMatchObject({ status: 2, stderr: expect.stringContaining('stagger') as string })
  expect(
    await call('define', 'bad', 'digest', '--every', '1h', '--ping-url', 'https://a.b', '--ping-secret', 'c'),
  ).toMatchObject({ status: 2, stderr: expect.stringContaining('either') as string })
  expect(await call('define', 'bad', 'digest', '--every', '1h', '--overlap', 'never')).toMatchObject({
    status: 2,
  })

  const shown = await call('show', 'morning')
  expect(shown.stdout).toContain('morning: starts digest, 0 7 * * 1-5 in Europe/Berlin.')
  expect(shown.stdout).toContain('Overlap: queue one; catches up up to 3 within 1 d')
  expect(shown.stdout).toContain("Revision 1, an operator's")
  expect((await call('next', 'morning', '--count', '3')).stdout).toMatch(
    /^(\d{4}-\d\d-\d\dT07:00:00\+0[12]:00 {2}\S+Z\n){3}$/,
  )
  expect((await call('list')).stdout).toContain('morning')
  await call(
    'define',
    'a-long-name-of-a-schedule',
    'digest',
    '--cron',
    '*/5 4-6 * * 1-5',
    '--timezone',
    'Europe/Berlin',
  )
  const next = (await folder.call('schedule', 'next', 'a-long-name-of-a-schedule', '--count', '1')).stdout
  expect((await call('list')).stdout).toContain(next.slice(0, '2030-01-31T08:00:00+01:00'.length))
  expect((await call('firings', 'morning')).stdout).toBe('It has not fired.\n')

  expect((await call('pause', 'morning', '--reason', 'a holiday')).stdout).toBe(
    'Schedule morning is paused.\n',
  )
  expect((await call('show', 'morning')).stdout).toContain('a holiday')
  const started = await folder.call('schedule', 'trigger', 'morning', '{"of": 2}', '--json')
  expect(JSON.parse(started.stdout)).toMatchObject({
    state: 'started',
    run: { id: expect.any(String) as string },
  })
  expect(await call('trigger', 'morning', '--overlap', 'skip')).toMatchObject({
    status: 4,
    stdout: expect.stringContaining('Not started, since of overlap'),
  })
  expect((await call('firings', 'morning', '--state', 'skipped')).stdout).toContain(
    'triggered, skipped: another',
  )
  expect((await call('resume', 'morning')).stdout).toBe('Schedule morning fires again.\n')
  const firings = await call('firings', 'morning', '--state', 'started')
  expect(firings.stdout).toContain('started')
  // Also where a table has no room for it, the id of a run can be copied.
  expect(firings.stdout).toContain((JSON.parse(started.stdout) as { run: { id: string } }).run.id)

  expect((await call('backfill', 'morning', '--from', '14d', '--dry-run')).stdout).toMatch(
    /^1[01] slots of morning would be fired; 0 had been before\.\n$/,
  )
  expect((await call('backfill', 'morning', '--from', '14d', '--stagger', '1m')).stdout).toMatch(
    /^1[01] slots of morning are fired; 0/,
  )
  await schedulerOn(database.pool)()
  const json = await folder.call('schedule', 'show', 'morning', '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({
    name: 'morning',
    revision: 3,
    firings: expect.any(Array) as unknown,
  })
  expect(await call('remove', 'morning', '--if-revision', '1')).toMatchObject({ status: 4 })
  expect((await call('remove', 'morning')).stdout).toBe('Schedule morning is removed.\n')
  expect(await call('remove', 'morning')).toMatchObject({ status: 4 })
  expect(await call('show', 'morning')).toMatchObject({ status: 4 })
})

test('an input is held against the schema of the pipeline in the configuration, as that of a start is', async () => {
  const project = openFolder({ DATABASE_URL: database.url })
  try {
    project.write('millrace.config.ts', tickConfig)
    await registerPipeline(database, 'tick', chain('only'))
    const define = (...input: string[]) =>
      project.call('schedule', 'define', 'ticking', 'tick', '--every', '1h', ...input)
    expect(await define('--input', '{"account": "x"}')).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(
        "The input of pipeline 'tick' does not fit its schema: account",
      ) as string,
    })
    expect(await define()).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(`as in: --input '{"account":1}'`) as string,
    })
    expect(await define('--input', '{"account": 7}')).toMatchObject({ status: 0 })
    const trigger = (input: string) => project.call('schedule', 'trigger', 'ticking', input)
    expect(await trigger('{"account": "x"}')).toMatchObject({ status: 4, stdout: '' })
    expect(await trigger('{"account": 8}')).toMatchObject({ status: 0 })
  } finally {
    project.close()
  }
})

test('over HTTP firing one with an input takes no right to read it', async () => {
  await registerPipeline(database, 'digest', chain('only'))
  expect(await call('define', 'written', 'digest', '--every', '1h')).toMatchObject({ status: 0 })
  const { url } = await serveApi({ ann: { scopes: ['triggers:write'] } })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  try {
    expect(await remote.call('schedule', 'trigger', 'written', '{"of": 3}')).toMatchObject({
      status: 0,
      stderr: '',
    })
  } finally {
    remote.close()
  }
})

const tickConfig = `
import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
import { z } from ${JSON.stringify(import.meta.resolve('zod'))}

const tick = pipeline('tick', { input: z.object({ account: z.number() }) }).step('only', () => null)

export default defineConfig({ pipelines: [tick] })
`
