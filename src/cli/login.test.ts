// Keys that are kept for servers: checked first, readable by nobody else, and sent to the one server alone.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../test/commands.ts'
import { servedApiOn } from '../../test/http.ts'
import { openMillrace } from '../../test/millrace.ts'
import { chooseServer } from './remote/server-choice.ts'

const { database } = await openMillrace()
const serveApi = servedApiOn(database)
const folders = new Set<Caller>()
afterEach(() => {
  for (const folder of folders) folder.close()
  folders.clear()
})

async function atHome(
  more: Record<string, string> = {},
): Promise<{ home: Caller; url: string; file: string }> {
  const { url } = await serveApi({
    secret_of_ann: { role: 'viewer', name: 'ann@example.org', payloads: false },
  })
  const place = openFolder()
  const home = openFolder({ HOME: place.folder, ...more })
  folders.add(place).add(home)
  return { home, url, file: path.join(place.folder, '.config', 'millrace', 'keys.json') }
}

test('a key is kept once the server knows it, in a file of mode 600, and counts for that server alone', async () => {
  const { home, url, file } = await atHome()
  const wrong = await home.callWithInput('another\n', 'login', url)
  expect(wrong).toMatchObject({ status: 4, stderr: expect.stringContaining('credential') })
  expect(fs.existsSync(file)).toBe(false)

  expect(await home.callWithInput('', 'login', url)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(`| npx millrace login ${url}`),
  })
  expect((await home.call('--server', url, 'run', 'list')).stderr).toContain('npx millrace login URL')

  const { status, stdout } = await home.callWithInput('secret_of_ann\n', 'login', url)
  expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('ann@example.org') })
  expect(stdout).not.toContain('secret_of_ann')
  expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  expect(fs.statSync(path.dirname(file)).mode & 0o777).toBe(0o700)

  expect(await home.call('--server', url, 'run', 'list')).toMatchObject({ status: 0 })
  const elsewhere = url.replace('127.0.0.1', 'localhost')
  expect(await home.call('--server', elsewhere, 'run', 'list')).toMatchObject({ status: 4 })

  fs.chmodSync(file, 0o644)
  const open = await home.call('--server', url, 'run', 'list')
  expect(open).toMatchObject({ status: 2, stderr: expect.stringContaining(`chmod 600 ${file}`) })
  fs.chmodSync(file, 0o600)
  expect(await home.call('logout', url)).toMatchObject({ status: 0 })
  expect(fs.readFileSync(file, 'utf8')).not.toContain('secret_of_ann')
  expect(await home.call('--server', url, 'run', 'list')).toMatchObject({ status: 4 })
})

test('a key is not sent in the clear to another machine', async () => {
  const { home } = await atHome()
  const { status, stderr } = await home.callWithInput('key\n', 'login', 'http://millrace.example.org')
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('not encrypted') })

  const { home: ci } = await atHome({ MILLRACE_KEY: 'secret_of_ann', MILLRACE_URL: 'http://0.0.0.0:1' })
  for (const args of [
    ['run', 'list'],
    ['run', 'list', '--server', 'http://millrace.example.org'],
  ])
    expect(await ci.call(...args)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        'not encrypted: everybody between may read the key. Use its https address',
      ),
    })
  const { home: meant } = await atHome({
    MILLRACE_KEY: 'secret_of_ann',
    MILLRACE_URL: 'http://0.0.0.0:1',
    MILLRACE_PLAIN: '1',
  })
  expect(await meant.call('run', 'list')).toMatchObject({ status: 3 })
})

test('where login --plain has said that plain http is meant, MILLRACE_KEY goes there too', async () => {
  const { file } = await atHome()
  const server = 'http://millrace.example.org'
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify({ keys: { [server]: 'secret_of_ann' } }), { mode: 0o600 })
  const environment = { XDG_CONFIG_HOME: path.dirname(path.dirname(file)), MILLRACE_KEY: 'secret_of_ben' }
  expect(chooseServer({ server, database: undefined, environment })).toMatchObject({ key: 'secret_of_ben' })
  expect(() => chooseServer({ server: `${server}:8080`, database: undefined, environment })).toThrow(
    'not encrypted',
  )
})

test('a key counts for its server with a slash at the end of the address as without', async () => {
  const { home, file } = await atHome()
  const server = 'https://millrace.example.org/below'
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify({ keys: { [`${server}/`]: 'secret_of_ann' } }), { mode: 0o600 })
  const environment = { XDG_CONFIG_HOME: path.dirname(path.dirname(file)) }
  for (const address of [server, `${server}/`])
    expect(chooseServer({ server: address, database: undefined, environment })).toMatchObject({
      key: 'secret_of_ann',
    })
  expect((await home.call('logout', server)).stdout).toContain('is forgotten')
})

test('what needs the database itself says so, and what a key does not see as well', async () => {
  const { home, url } = await atHome({ MILLRACE_KEY: 'secret_of_ann' })
  for (const args of [['migrate'], ['watch', 'plan'], ['schedule', 'adopt', '1']]) {
    const { status, stderr } = await home.call('--server', url, ...args)
    expect({ args, status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--database'),
    })
  }
  const { home: there } = await atHome({ MILLRACE_URL: url, DATABASE_URL: database.url })
  for (const args of [['migrate', '--plan'], ['database', 'address'], ['doctor']]) {
    const { status, stderr } = await there.call(...args)
    expect({ args, status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--database'),
    })
    expect(await there.call('--database', database.url, ...args)).not.toMatchObject({ status: 2 })
  }
  expect(await home.call('--server', url, '--database', database.url, 'run', 'list')).toMatchObject({
    status: 2,
  })
  expect(await home.call('--server', 'http://127.0.0.1:1', 'run', 'list')).toMatchObject({ status: 3 })
  expect(await home.call('--server', url, 'pipeline', 'pause', 'x')).toMatchObject({ status: 4 })
})
