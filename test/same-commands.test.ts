// The command line over HTTP: the same commands, with the output and the exit status that they have on the database.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { type Caller, openFolder } from './commands.ts'
import { servedApiOn } from './http.ts'
import { openMillrace } from './millrace.ts'
import { pipeline } from '../src/sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)

const echo = pipeline('same-echo', { input: z.string(), retry: { attempts: 1 } })
  .step('say', ({ input }) => {
    if (input === 'fail') throw new Error('it was told to fail')
    return input
  })
  .step('again', async ({ steps, stream, artifacts }) => {
    for (const part of ['one', 'two']) await stream.write(part)
    await artifacts.write('said.txt', `they said ${steps.say}`, { type: 'text/plain' })
    return steps.say
  })
const slow = pipeline('same-wait', { input: z.object({ n: z.number() }), key: 'n' }).step(
  'ask',
  async ({ durable }) => durable.signal('same-go'),
)
const often = pipeline('same-often', {
  input: z.object({ key: z.string() }),
  debounce: { key: 'key', wait: '1h' },
}).step('do', () => 1)
const single = pipeline('same-single', {
  input: z.object({ key: z.string() }),
  latest: { key: 'key', do: 'reject newcomer' },
}).step('do', () => 1)

const folders = new Set<Caller>()
afterEach(() => {
  for (const folder of folders) folder.close()
  folders.clear()
})

interface Sides {
  readonly local: Caller
  readonly remote: Caller
}

const ring = { first: Buffer.alloc(32, 7).toString('base64') }

async function sides(): Promise<Sides> {
  const { url } = await serveApi(
    { ann: { role: 'admin', name: 'ann@example.org' } },
    { encryptionKeys: ring },
  )
  const local = openFolder({ DATABASE_URL: database.url, MILLRACE_ENCRYPTION_KEYS: `first:${ring.first}` })
  const remote = openFolder({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  folders.add(local).add(remote)
  return { local, remote }
}

/** A run's times of waiting go on between two looks. */
const still = (text: string): string =>
  text.replaceAll(/\d+(\.\d+)? (ms|s|min)\b/g, 'T').replaceAll(/ +/g, ' ')

async function expectSame({ local, remote }: Sides, ...args: string[]): Promise<void> {
  const [here, there] = [await local.call(...args), await remote.call(...args)]
  expect.soft({ args, ...there, stdout: still(there.stdout) }).toEqual({
    args,
    ...here,
    stdout: still(here.stdout),
  })
}

test('what commands show is the same over HTTP as from the database', async () => {
  await opened.worker({ pipelines: [echo, slow] })
  const client = opened.client()
  const done = await client.start(echo, 'hello')
  const failed = await client.start(echo, 'fail')
  const waits = await client.start(slow, { n: 1 })
  await client.run(done.run!.id).result()
  await client
    .run(failed.run!.id)
    .result()
    .catch(() => {})
  const both = await sides()
  const id = done.run!.id
  for (const args of [
    ['run', 'list'],
    ['run', 'list', '--pipeline', 'same-echo', '--state', 'completed', '--json'],
    ['run', 'list', '--state', 'failed', 'waiting'],
    ['run', 'show', id],
    ['run', 'account', id],
    ['run', 'account', failed.run!.id],
    ['run', 'why', waits.run!.id],
    ['run', 'artifacts', id],
    ['run', 'follow', id],
    ['run', 'follow', id, '--from', '1', '--json'],
    ['run', 'follow', failed.run!.id],
    ['run', 'watch', id],
    ['artifact', 'get', id, 'none.txt'],
    ['run', 'show', '01a1fc9e-5f80-77ff-8c73-f01c878af2ee'],
    ['failure', 'list'],
    ['redrive', 'list'],
    ['pipeline', 'list'],
    ['pipeline', 'inventory'],
    ['pipeline', 'inventory'],
    ['pipeline', 'show', 'same-wait'],
    ['schedule', 'list'],
    ['schedule', 'show', 'nothing'],
    ['limit', 'list'],
    ['start-rule', 'list'],
    ['watch', 'list'],
    ['lock', 'list'],
    ['cache', 'list'],
    ['event', 'list'],
    ['subscription', 'list'],
    ['callback', 'list'],
    ['approval', 'list'],
    ['secret', 'list'],
    ['webhook', 'list'],
    ['webhook', 'deliveries'],
    ['audit-trail', 'list', '--limit', '3'],
    ['audit-trail', 'export'],
    ['audit-trail', 'verify'],
    ['dead-letter', 'list'],
    ['worker', 'list'],
    ['user', 'list'],
    ['key', 'list'],
  ])
    await expectSame(both, ...args)
  const file = path.join(both.remote.folder, 'said')
  expect(await both.remote.call('artifact', 'get', id, 'said.txt', '--output', file)).toMatchObject({
    status: 0,
  })
  expect(fs.readFileSync(file, 'utf8')).toBe('they said hello')
}, 120_000)

type Side = 'side-a' | 'side-b'

/** The same command on a thing of each side: what it prints differs in names and ids alone. */
async function expectAlike(
  { local, remote }: Sides,
  args: (side: Side) => readonly string[],
  input = '',
): Promise<void> {
  const told = async (caller: Caller, side: Side) => {
    const { status, stdout, stderr } = await caller.callWithInput(input, ...args(side))
    const named = (text: string): string =>
      still(text)
        .replaceAll(id, 'ID')
        .replaceAll(side, 'SIDE')
        .replaceAll(/\b0[0-9a-f]{7}-[0-9a-f-]+…|^ *\d+ 20\S+/gm, '…')
    return { args: args('side-a'), status, stdout: named(stdout), stderr: named(stderr) }
  }
  expect.soft(await told(remote, 'side-b')).toEqual(await told(local, 'side-a'))
}

const id = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

test('what commands change is the same over HTTP as on the database', async () => {
  const worker = await opened.worker({ pipelines: [echo, slow] })
  const client = opened.client()
  const both = await sides()
  const failed = { 'side-a': '', 'side-b': '' }
  const live = { 'side-a': '', 'side-b': '' }
  for (const side of ['side-a', 'side-b'] as const) {
    await client.start(
      pipeline(side).step('say', () => 1),
      null,
    )
    failed[side] = (await client.start(echo, 'fail')).run!.id
    live[side] = (await client.start(slow, { n: side === 'side-a' ? 10 : 11 })).run!.id
    await client.start(often, { key: side })
    await client.start(single, { key: side })
    await client
      .run(failed[side])
      .result()
      .catch(() => {})
  }
  await worker.stop()
  const unknown = '01a1fc9e-5f80-77ff-8c73-f01c878af2ee'
  const steps: Array<readonly [args: (side: Side) => readonly string[], input?: string]> = [
    [() => ['run', 'start', 'same-echo', '"x"', '--header', 'a=b', '--priority', '2']],
    [() => ['run', 'start', 'no-such', '1']],
    [(side) => ['run', 'start', 'same-echo', '"x"', '--idempotency-key', side, '--json']],
    [(side) => ['run', 'start', 'same-echo', '"x"', '--idempotency-key', side]],
    [(side) => ['run', 'start', 'same-wait', side === 'side-a' ? '{"n":10}' : '{"n":11}']],
    [(side) => ['run', 'start', 'same-often', `{"key":"${side}"}`]],
    [(side) => ['run', 'start', 'same-often', `{"key":"${side}"}`, '--json']],
    [(side) => ['run', 'start', 'same-single', `{"key":"${side}"}`]],
    [(side) => ['run', 'pause', live[side], '--reason', 'wait']],
    [(side) => ['run', 'pause', live[side], '--if-revision', '0']],
    [(side) => ['run', 'resume', live[side]]],
    [(side) => ['run', 'prioritize', live[side], '2']],
    [(side) => ['signal', 'send', 'same-go', '1', '--run', live[side]]],
    [(side) => ['run', 'cancel', live[side], '--reason', 'enough']],
    [(side) => ['run', 'cancel', live[side]]],
    [() => ['run', 'cancel', unknown]],
    [(side) => ['run', 'fork', failed[side], 'say', '--input', '"other"']],
    [(side) => ['run', 'rerun', failed[side], '--json']],
    [(side) => ['dead-letter', 'redrive', failed[side]]],
    [(side) => ['run', 'redrive', failed[side]]],
    [(side) => ['run', 'cancel', failed[side]]],
    [(side) => ['run', 'delete', live[side], '--dry-run']],
    [(side) => ['run', 'delete', live[side]]],
    [() => ['redrive', 'start', '--all', '--dry-run']],
    [(side) => ['redrive', 'start', '--tenant', side]],
    [(side) => ['pipeline', 'pause', side, '--reason', 'wait']],
    [(side) => ['pipeline', 'resume', side]],
    [() => ['pipeline', 'activate', 'same-echo', '1']],
    [() => ['pipeline', 'activate', 'same-echo', '9']],
    [() => ['pipeline', 'resume-key', 'same-wait', '1']],
    [(side) => ['schedule', 'define', side, 'same-echo', '--cron', '0 3 * * *', '--input', '"x"']],
    [(side) => ['schedule', 'next', side, '--count', '1']],
    [(side) => ['schedule', 'pause', side, '--reason', 'wait']],
    [(side) => ['schedule', 'trigger', side, '"y"']],
    [(side) => ['schedule', 'firings', side]],
    [(side) => ['schedule', 'resume', side]],
    [(side) => ['schedule', 'backfill', side, '--from', '2d', '--dry-run']],
    [(side) => ['schedule', 'remove', side]],
    [(side) => ['limit', 'set', side, '--concurrency', '2', '--for', 'same-echo']],
    [(side) => ['limit', 'remove', side]],
    [(side) => ['start-rule', 'define', 'same-echo', side, '{"kind":"waiting","most":5}']],
    [(side) => ['start-rule', 'remove', 'same-echo', side]],
    [(side) => ['subscription', 'define', side, `event.${side}`, 'same-echo']],
    [(side) => ['subscription', 'pause', side]],
    [(side) => ['subscription', 'resume', side]],
    [(side) => ['subscription', 'remove', side]],
    [() => ['cache', 'invalidate', '--scope', 'nothing']],
    [(side) => ['secret', 'set', side], 'value-of-it'],
    [(side) => ['secret', 'rotate', side], 'next-value'],
    [(side) => ['secret', 'remove', side]],
    [() => ['approval', 'approve', unknown]],
    [() => ['callback', 'resend', unknown]],
    [(side) => ['tenant', 'erase', side, '--dry-run']],
    [() => ['encryption', 'rotate']],
  ]
  for (const [args, input] of steps) await expectAlike(both, args, input)
  await expectSame(both, 'run', 'list', '--state', 'pending')
  expect((await both.remote.call('run', 'list', '--state', 'pending')).stdout).toContain('needs v1')

  const [run] = await database.query<{ started_by: string }>(
    `select started_by from millrace.run where idempotency_key = 'side-b'`,
  )
  expect(run!.started_by).toMatch(/^ann@example\.org via /)
}, 120_000)
