// A run that is watched over HTTP: how often the server is asked, and what programs get.
import { afterEach, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { until } from '../../../test/deadline.ts'
import { servedApiOn } from '../../../test/http.ts'
import { Arrival, countStatements, openMillrace } from '../../../test/millrace.ts'
import { connectHttp } from '../../client/http-client.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const folders = new Set<Caller>()
afterEach(() => {
  for (const folder of folders) folder.close()
  folders.clear()
})

function folderWith(environment: Record<string, string>): Caller {
  const folder = openFolder(environment)
  folders.add(folder)
  return folder
}

test('a run that says something all the time is looked at less and less often, and at once when it has ended', async () => {
  const told = Array.from({ length: 20 }, () => new Arrival())
  const talking = pipeline('watch-talking').step('talk', async ({ stream }) => {
    for (const [n, { come }] of told.entries()) {
      await stream.write(n)
      await come
    }
  })
  const { url } = await serveApi({ ann: { role: 'viewer' } })
  const caller = folderWith({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  await opened.worker({ pipelines: [talking] })
  const { run } = await opened.client().start(talking, null)
  const statements = countStatements()
  try {
    const begun = performance.now()
    const watched = caller.call('run', 'watch', run!.id)
    // Each part is one more event, since the next is not written before the server has told it.
    for await (const { event, data } of connectHttp({ url, key: 'ann' }).followRun({
      params: { run: run!.id },
    }))
      if (event === 'part') told[(data as { position: number }).position]!.arrive()
    expect(await watched).toMatchObject({ status: 0, stdout: expect.stringContaining('completed') })
    const looks = statements.sent.filter((name) => name === 'millrace_run_account').length
    const passedMs = performance.now() - begun
    // A quarter of a second more after each: so many fit into that time, and those at the beginning and the end.
    expect(looks).toBeLessThanOrEqual(Math.ceil(Math.sqrt(passedMs / 125)) + 3)
  } finally {
    statements.stop()
  }
}, 60_000)

test('a program gets a line where something has changed, and none for a look that saw nothing new', async () => {
  const go = new Arrival()
  const quiet = pipeline('watch-quiet').step('wait', () => go.come)
  const caller = folderWith({ DATABASE_URL: database.url })
  await opened.worker({ pipelines: [quiet] })
  const { run } = await opened.client().start(quiet, null)
  const statements = countStatements()
  const looks = () => statements.sent.filter((text) => text.includes('run_account')).length
  try {
    const watched = caller.call('run', 'watch', run!.id, '--json')
    await until('it has looked a few times', () => looks() > 6)
    go.arrive()
    const { stdout } = await watched
    const told = stdout.trim().split('\n')
    expect(told.length).toBeLessThanOrEqual(5)
    expect(JSON.parse(told.at(-1)!)).toMatchObject({ run: { state: 'completed' } })
  } finally {
    statements.stop()
  }
})
