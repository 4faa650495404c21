// Keys that are kept for servers: checked first, readable by nobody else, and sent to the one server alone.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../test/commands.ts'
import { servedApiOn } from '../../test/http.ts'
import { openMillrace } from '../../test/millrace.ts'

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
  expect(await home.call('--server', url, '--database', database.url, 'run', 'list')).toMatchObject({
    status: 2,
  })
  expect(await home.call('--server', 'http://127.0.0.1:1', 'run', 'list')).toMatchObject({ status: 3 })
  expect(await home.call('--server', url, 'pipeline', 'pause', 'x')).toMatchObject({ status: 4 })
})
