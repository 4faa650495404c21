// millrace mcp and millrace agent-request: an agent speaks over stdio, on the database or with a server, and a person decides at the command line.
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import os from 'node:os'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import type { Answer } from '../../test/api.ts'
import { openFolder, programFile } from '../../test/commands.ts'
import { openMillrace } from '../../test/millrace.ts'
import { compiled } from '../../test/program.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { listen } from '../server/listen.ts'
import { openServer } from '../server/server.ts'

const { database, opened } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())
const wanted = pipeline('stdio-wanted').step('search', () => 1)

const clients = new Set<Client>()
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()))
  clients.clear()
})

async function speak(args: string[], environment: Record<string, string>): Promise<Client> {
  const client = new Client({ name: 'model', version: '1.0.0' })
  clients.add(client)
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [compiled(programFile), 'mcp', ...args],
      env: { PATH: process.env.PATH ?? '', ...environment },
      stderr: 'inherit',
    }),
  )
  return client
}

async function use(client: Client, name: string, given: Record<string, unknown>): Promise<Answer['body']> {
  const { content } = await client.callTool({ name, arguments: given })
  return JSON.parse(/--- data \S+ ---\n(.*)\n--- end/s.exec((content as { text: string }[])[0]!.text)![1]!)
}

async function stateOf(run: string): Promise<string | undefined> {
  const [row] = await database.query<{ state: string }>('select state from millrace.run where id = $1', [run])
  return row?.state
}

test('an agent on the database asks over stdio, and what a person approves at the command line is done', async () => {
  const { run } = await opened.client().start(wanted, null)
  expect((await folder.call('agent-request', 'list')).stdout).toBe('No agent asks for anything.\n')
  const client = await speak(['--tags', 'runs'], { DATABASE_URL: database.url })
  const names = (await client.listTools()).tools.map(({ name }) => name)
  expect(names).toContain('showRun')
  expect(names).not.toContain('listSchedules')
  const reason = 'it hangs\u202e, not\u009b'
  const asked = await use(client, 'cancelRun', { run: run!.id, reason, why: 'the user said so' })
  const { id } = asked.agent_request
  expect(await stateOf(run!.id)).toBe('pending')

  const listed = await folder.call('agent-request', 'list')
  expect(listed.stdout).toContain(id)
  expect(listed.stdout).toContain('cancelRun')
  expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
  const shown = await folder.call('agent-request', 'show', id)
  expect(shown.stdout).toContain('It says why: "the user said so"')
  expect(shown.stdout).toContain(String.raw`reason: "it hangs\u202e, not\u009b"`)
  const approved = await folder.call('agent-request', 'approve', id, '--comment', 'yes')
  expect(approved).toMatchObject({ status: 0, stdout: 'cancelRun is done. It answered: {"changed":true}\n' })
  expect(await stateOf(run!.id)).toBe('cancelled')
  expect(await folder.call('agent-request', 'approve', id)).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('approved'),
  })
  expect(await use(client, 'showAgentRequest', { agent_request: id })).toMatchObject({
    state: 'approved',
    comment: 'yes',
  })
}, 60_000)

test('who runs under a number that has no name, as in a container, decides by that', async () => {
  const { run } = await opened.client().start(wanted, null)
  const client = await speak(['--tags', 'runs'], { DATABASE_URL: database.url })
  const asked = await use(client, 'cancelRun', { run: run!.id })
  const nameless = vi.spyOn(os, 'userInfo').mockImplementation(() => {
    throw new Error('A system error occurred: uv_os_get_passwd returned ENOENT')
  })
  try {
    expect(await folder.call('agent-request', 'approve', asked.agent_request.id)).toMatchObject({ status: 0 })
  } finally {
    nameless.mockRestore()
  }
  expect(await folder.call('agent-request', 'show', asked.agent_request.id)).toMatchObject({
    stdout: expect.stringContaining(`uid ${process.getuid!()}`),
  })
})

test('what is rejected is not done, and an agent that may act needs nobody', async () => {
  const { run } = await opened.client().start(wanted, null)
  const asking = await speak(['--tags', 'runs'], { DATABASE_URL: database.url })
  const { agent_request: asked } = await use(asking, 'cancelRun', { run: run!.id })
  const rejected = await folder.call('agent-request', 'reject', asked.id, '--json')
  expect(JSON.parse(rejected.stdout)).toMatchObject({ state: 'rejected' })
  expect(await stateOf(run!.id)).toBe('pending')
  const acting = await speak(['--act', '--tags', 'runs'], { DATABASE_URL: database.url })
  expect(await use(acting, 'cancelRun', { run: run!.id })).toEqual({ changed: true })
  expect(await stateOf(run!.id)).toBe('cancelled')
  expect(await folder.call('agent-request', 'show', 'x')).toMatchObject({ status: 2 })
  expect(await folder.call('mcp', '--tags', 'nonsense')).toMatchObject({ status: 2 })
}, 60_000)

test('with a server, the key says what an agent sees and whether it may act; --act is refused', async () => {
  const created = await folder.call(
    'key',
    'create',
    'helper',
    '--role',
    'operator',
    '--agent',
    'asks',
    '--json',
  )
  const { key } = JSON.parse(created.stdout) as { key: string }
  const server = await openServer({ database: database.url, pipelines: [] })
  const listener = await listen(server.fetch, { port: 0, trustedProxies: [] })
  const address = `http://127.0.0.1:${listener.port}`
  try {
    const { run } = await opened.client().start(wanted, null)
    const client = await speak(['--tags', 'runs'], { MILLRACE_URL: address, MILLRACE_KEY: key })
    expect(await use(client, 'showRun', { run: run!.id })).toMatchObject({ id: run!.id, input: null })
    const { agent_request: asked } = await use(client, 'cancelRun', { run: run!.id, why: 'ä reason' })
    expect(await stateOf(run!.id)).toBe('pending')
    // Whoever has the key of the agent at a command line hears the same.
    const remote = openFolder({ MILLRACE_URL: address, MILLRACE_KEY: key })
    const shown = JSON.parse((await remote.call('agent-request', 'show', asked.id, '--json')).stdout)
    expect(shown).toMatchObject({
      state: 'open',
      why: 'ä reason',
      asked_by: expect.stringContaining('agent helper'),
    })
    expect(await remote.call('run', 'cancel', run!.id)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Nothing was done yet'),
    })
    expect(await remote.call('agent-request', 'approve', asked.id)).toMatchObject({ status: 4 })
    expect(await remote.call('mcp', '--act')).toMatchObject({ status: 2 })
    remote.close()
    expect(await folder.call('agent-request', 'approve', asked.id)).toMatchObject({ status: 0 })
    expect(await stateOf(run!.id)).toBe('cancelled')
  } finally {
    await listener.close()
    await server.close()
  }
}, 60_000)
