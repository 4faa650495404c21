// The embedded server as its users meet it: started, shared, killed, started again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { compiled } from '../../test/program.ts'
import { makeReachableFolder } from '../../test/reachable-folder.ts'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './server.ts'

const isRoot = process.getuid?.() === 0

let project: string
let directory: string
let servers: EmbeddedPostgres[]
let children: ChildProcess[]

beforeEach(() => {
  project = makeReachableFolder()
  directory = path.join(project, '.millrace')
  servers = []
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const server of servers) await server.release()
  for (const folder of [
    project,
    ...servers.filter((server) => server.relocated).map((server) => server.directory),
  ])
    fs.rmSync(folder, { recursive: true, force: true })
})

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory, ...options })
  servers.push(server)
  return server
}

const PROGRAM = fileURLToPath(new URL('../../test/programs/embedded-user.ts', import.meta.url))

interface OtherUser {
  url: string
  adopted: boolean
  child: ChildProcess
}

async function startInAnotherProcess(): Promise<OtherUser> {
  const child = spawn(process.execPath, [compiled(PROGRAM), directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  return { ...(JSON.parse(line) as { url: string; adopted: boolean }), child }
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

function postmasterPid(server: EmbeddedPostgres): number {
  return Number(fs.readFileSync(path.join(server.directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
}

const portOf = (url: string): number => Number(new URL(url).port)

function connectTo(host: string, port: number): Promise<'open' | 'closed'> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    socket.on('connect', () => {
      socket.destroy()
      resolve('open')
    })
    socket.on('error', () => resolve('closed'))
  })
}

describe('a new server', () => {
  let home: string
  let server: EmbeddedPostgres

  beforeAll(async () => {
    home = makeReachableFolder()
    server = await startEmbeddedPostgres({ directory: path.join(home, '.millrace') })
  })

  afterAll(async () => {
    await server.release()
    fs.rmSync(home, { recursive: true, force: true })
  })

  it('has a database named millrace, tables in public, and writes to disk', async () => {
    expect(server.adopted).toBe(false)
    const [row] = await query(
      server.url,
      `select current_database() as database, current_schema() as schema, current_setting('fsync') as fsync,
        current_setting('server_encoding') as encoding`,
    )
    expect(row).toEqual({ database: 'millrace', schema: 'public', fsync: 'on', encoding: 'UTF8' })
  })

  it('lets nobody in without the password', async () => {
    const address = new URL(server.url)
    expect(address.password).toMatch(/^[\w-]{32}$/)
    address.password = 'guess'
    await expect(query(address.href, 'select 1')).rejects.toThrow('password authentication failed')
    const rules = await query(server.url, 'select distinct auth_method from pg_hba_file_rules')
    expect(rules).toEqual([{ auth_method: 'scram-sha-256' }])
    const stored = await query(server.url, 'select rolpassword from pg_authid where rolcanlogin')
    expect(stored).toEqual([{ rolpassword: expect.stringMatching(/^SCRAM-SHA-256\$/) }])
  })

  it.skipIf(process.platform === 'win32')('keeps the password where its owner alone can read it', () => {
    expect(fs.statSync(path.join(server.directory, 'password')).mode & 0o777).toBe(0o600)
    expect(fs.statSync(server.directory).mode & 0o777).toBe(0o700)
  })

  it('listens on the loopback address and nowhere else', async () => {
    const [row] = await query(
      server.url,
      `select current_setting('listen_addresses') as addresses,
        current_setting('unix_socket_directories') as sockets`,
    )
    expect(row).toEqual({ addresses: '127.0.0.1', sockets: '' })
    expect(await connectTo('127.0.0.1', portOf(server.url))).toBe('open')
    const others = Object.values(os.networkInterfaces()).flatMap((list) => list ?? [])
    for (const { address } of others.filter((other) => !other.internal && other.family === 'IPv4'))
      expect(await connectTo(address, portOf(server.url))).toBe('closed')
  })

  it('keeps what it holds out of repositories', () => {
    expect(fs.readFileSync(path.join(home, '.millrace', '.gitignore'), 'utf8')).toBe('*\n')
  })
})

describe('a start', () => {
  it('gives the same server under a umask that closes every new file', async () => {
    const before = process.umask(0o077)
    try {
      const { url } = await start()
      const [row] = await query(url, "select current_setting('listen_addresses') as addresses")
      expect(row).toEqual({ addresses: '127.0.0.1' })
    } finally {
      process.umask(before)
    }
  })

  it('tells what it does', async () => {
    const lines: string[] = []
    const { url } = await start({ log: (line) => lines.push(line) })
    expect(lines).toEqual([
      expect.stringMatching(`^Started PostgreSQL \\d+\\.\\d+ on port ${portOf(url)}, data in `),
    ])
  })

  it('takes settings, with quotes and backslashes in them', async () => {
    const { url } = await start({
      settings: { cluster_name: "o'clock", log_line_prefix: '\\a\n', work_mem: '8MB' },
    })
    const [row] = await query(
      url,
      `select current_setting('cluster_name') as name, current_setting('log_line_prefix') as prefix,
        current_setting('work_mem') as memory`,
    )
    expect(row).toEqual({ name: "o'clock", prefix: '\\a\n', memory: '8MB' })
  })

  it.each(['Listen_Addresses', 'port', 'include_dir', 'x = 1\nlisten_addresses'])(
    'refuses the setting %j, which could open it to others',
    async (name) => {
      await expect(start({ settings: { [name]: '*' } })).rejects.toMatchObject({
        code: 'embedded_settings_conflict',
      })
    },
  )

  it('says why PostgreSQL does not start', async () => {
    await expect(start({ settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringContaining('shared_buffers'),
    })
  })

  it('says so when the port that was asked for is taken', async () => {
    const holder = net.createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const { port } = holder.address() as net.AddressInfo
    await expect(start({ port })).rejects.toMatchObject({ code: 'embedded_start_failed' })
    holder.close()
  })
})

describe('a second start', () => {
  it('finds the data, the password and the port of the first', async () => {
    const first = await start()
    await query(first.url, 'create table kept as select 42 as answer')
    await first.release()
    const second = await start()
    expect(second).toMatchObject({ url: first.url, adopted: false })
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  it('takes another port when somebody else has taken the last one', async () => {
    const first = await start()
    await first.release()
    const holder = net.createServer()
    await new Promise<void>((resolve) => holder.listen(portOf(first.url), '127.0.0.1', resolve))
    const second = await start()
    expect(portOf(second.url)).not.toBe(portOf(first.url))
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
    holder.close()
  })

  it('begins again where a first one was killed in the middle', async () => {
    const half = path.join(directory, 'postgres', 'data.new-1')
    fs.mkdirSync(half, { recursive: true })
    fs.writeFileSync(path.join(half, 'PG_VERSION'), '18\n')
    expect(await query((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(fs.existsSync(half)).toBe(false)
  })

  it('refuses data of another major version', async () => {
    const first = await start()
    await first.release()
    fs.writeFileSync(path.join(first.directory, 'data', 'PG_VERSION'), '9\n')
    await expect(start()).rejects.toMatchObject({
      code: 'embedded_data_incompatible',
      fields: { written: '9' },
    })
  })

  it('says so when the password is lost', async () => {
    const first = await start()
    await first.release()
    fs.rmSync(path.join(first.directory, 'password'))
    await expect(start()).rejects.toMatchObject({ code: 'embedded_data_unreachable' })
  })

  it('puts a long log aside', async () => {
    const first = await start()
    await first.release()
    const log = path.join(first.directory, 'server.log')
    fs.truncateSync(log, 11_000_000)
    await start()
    expect(fs.statSync(log).size).toBeLessThan(100_000)
    expect(fs.existsSync(`${log}.1`)).toBe(true)
  })
})

describe('several users', () => {
  it('share one server, which stops with the last of them', async () => {
    const other = await startInAnotherProcess()
    const mine = await start()
    expect(mine).toMatchObject({ url: other.url, adopted: true })
    other.child.stdin?.end()
    await once(other.child, 'exit')
    expect(await query(mine.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await mine.release()
    expect(await connectTo('127.0.0.1', portOf(mine.url))).toBe('closed')
  })

  it('in one process count as well, and a second release is nothing', async () => {
    const [first, second] = [await start(), await start()]
    await first.release()
    await first.release()
    expect(await connectTo('127.0.0.1', portOf(second.url))).toBe('open')
    await second.release()
    expect(await connectTo('127.0.0.1', portOf(second.url))).toBe('closed')
  })

  it('that start in one moment make the data once', async () => {
    const all = await Promise.all([startInAnotherProcess(), startInAnotherProcess(), start(), start()])
    expect(new Set(all.map(({ url }) => url)).size).toBe(1)
    expect(all.filter(({ adopted }) => !adopted)).toHaveLength(1)
  })

  it('cannot ask for another port or other settings than those it runs with', async () => {
    const first = await start({ settings: { work_mem: '8MB' } })
    expect((await start({ settings: { work_mem: '8MB' } })).adopted).toBe(true)
    for (const options of [{ port: portOf(first.url) + 1 }, { settings: { work_mem: '9MB' } }])
      await expect(start(options)).rejects.toMatchObject({ code: 'embedded_settings_conflict' })
  })

  it('may lose their folder while they run', async () => {
    const server = await start()
    const pid = postmasterPid(server)
    process.kill(pid, 'SIGKILL')
    fs.rmSync(project, { recursive: true, force: true, maxRetries: 5 })
    await expect(server.release()).resolves.toBeUndefined()
  })
})

describe('after a crash', () => {
  it('of a user, the next one joins its server and stops it when it is done', async () => {
    const killed = await startInAnotherProcess()
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')
    const next = await start()
    expect(next).toMatchObject({ url: killed.url, adopted: true })
    await next.release()
    expect(await connectTo('127.0.0.1', portOf(next.url))).toBe('closed')
  })

  it('of a user that was just starting, the next one starts', async () => {
    const child = spawn(process.execPath, [compiled(PROGRAM), directory], { stdio: 'ignore' })
    children.push(child)
    const lock = path.join(directory, 'postgres', 'lock')
    while (!fs.existsSync(lock)) await new Promise(setImmediate)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await query((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('of the server, the next start recovers what was committed', async () => {
    const crashed = await start()
    await query(crashed.url, 'create table kept as select 42 as answer')
    process.kill(postmasterPid(crashed), 'SIGKILL')
    const next = await start()
    expect(next.adopted).toBe(false)
    expect(await query(next.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  it('of the server, its pid may belong to somebody else', async () => {
    const first = await start()
    const pidFile = path.join(first.directory, 'data', 'postmaster.pid')
    const lines = fs.readFileSync(pidFile, 'utf8').split('\n')
    await first.release()
    fs.writeFileSync(pidFile, [`${process.pid}`, ...lines.slice(1)].join('\n'))
    const second = await start()
    expect(second.adopted).toBe(false)
    expect(postmasterPid(second)).not.toBe(process.pid)
  })
})

describe.runIf(isRoot)('as root', () => {
  it('the server runs as the owner of the project, or as nobody', async () => {
    const ownerOf = (server: EmbeddedPostgres): number => fs.statSync(`/proc/${postmasterPid(server)}`).uid
    const nobody = fs.readFileSync('/etc/passwd', 'utf8').match(/^nobody:[^:]*:(\d+)/m)?.[1]
    const server = await start()
    expect(ownerOf(server)).toBe(Number(nobody))
    const owned = path.join(project, 'owned')
    fs.mkdirSync(owned, { mode: 0o700 })
    fs.chownSync(owned, 1, 1)
    const other = await start({ directory: path.join(owned, '.millrace') })
    expect(ownerOf(other)).toBe(1)
    expect(other.relocated).toBe(false)
  })

  it('a project below a closed folder has its data where the server can reach them, and finds them again', async () => {
    fs.chmodSync(project, 0o700)
    const lines: string[] = []
    const first = await start({ log: (line) => lines.push(line) })
    expect(first.relocated).toBe(true)
    expect(lines[0]).toContain(`so its data are in ${first.directory}`)
    expect(fs.readFileSync(path.join(directory, 'postgres', 'moved-to.txt'), 'utf8')).toBe(
      `${first.directory}\n`,
    )
    await query(first.url, 'create table kept as select 42 as answer')
    await first.release()
    fs.chmodSync(project, 0o755)
    const second = await start()
    expect(second).toMatchObject({ url: first.url, relocated: true })
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  it('data behind a folder that was closed later are not silently replaced by empty ones', async () => {
    const first = await start()
    await first.release()
    fs.chmodSync(project, 0o700)
    await expect(start()).rejects.toMatchObject({ code: 'embedded_data_unreachable' })
  })
})
