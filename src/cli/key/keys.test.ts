// Keys on the command line: made and shown once, listed, rotated and revoked, on the database and over HTTP alike.
import { afterAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { servedApiOn } from '../../../test/http.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const serveApi = servedApiOn(database)
const folders: Caller[] = []
afterAll(() => {
  for (const folder of folders) folder.close()
})

function folderOf(environment: Record<string, string>): Caller {
  const folder = openFolder(environment)
  folders.push(folder)
  return folder
}

const keyIn = (text: string): string => /mr_[0-9a-f]{12}_[\w-]{43}/.exec(text)![0]

async function statusOf(url: string, key: string): Promise<number> {
  const { status, body } = await fetch(`${url}/runs`, { headers: { authorization: `Bearer ${key}` } })
  await body?.cancel()
  return status
}

test('a key is made, listed, rotated and revoked, from the database and over HTTP alike', async () => {
  const { url } = await serveApi({ ann: { role: 'admin', name: 'ann@example.org' } })
  const local = folderOf({ DATABASE_URL: database.url })
  const remote = folderOf({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  for (const [index, side] of [local, remote].entries()) {
    const account = `deploys-${index}`
    expect(await side.call('service-account', 'create', account, '--role', 'operator')).toMatchObject({
      status: 0,
    })
    const created = await side.call(
      ...['key', 'create', 'ci', '--account', account, '--role', 'operator', '--scope', 'runs:read'],
    )
    expect(created).toMatchObject({ status: 0, stderr: '' })
    const key = keyIn(created.stdout)
    expect(await statusOf(url, key)).toBe(200)
    const prefix = key.slice(0, 15)
    const listed = await side.call('key', 'list', '--account', account)
    expect(listed.stdout).toContain(prefix)
    expect(listed.stdout).toContain(`${account}/ci`)
    expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)

    const rotated = await side.call('key', 'rotate', prefix, '--overlap', '1h')
    expect(rotated).toMatchObject({ status: 0, stderr: '' })
    const next = keyIn(rotated.stdout)
    expect([await statusOf(url, key), await statusOf(url, next)]).toEqual([200, 200])
    expect(await side.call('key', 'rotate', prefix)).toMatchObject({ status: 4 })
    expect(await side.call('key', 'revoke', key, '--reason', 'leaked')).toMatchObject({
      status: 0,
      stdout: 'The key is revoked.\n',
    })
    expect((await side.call('key', 'revoke', prefix)).stdout).toBe('The key was revoked already.\n')
    const all = JSON.parse((await side.call('key', 'list', '--account', account, '--all', '--json')).stdout)
    expect(all).toMatchObject([{ is_live: true }, { is_live: false, revoked_because: 'leaked' }])
    expect(JSON.stringify(all)).not.toContain(key.slice(16))
    expect((await side.call('service-account', 'disable', account)).stdout).toContain('is disabled')
    expect((await side.call('service-account', 'list')).stdout).toMatch(
      new RegExp(`${account} +operator +disabled`),
    )
    expect((await side.call('key', 'list', '--account', account)).stdout).toBe('There is no key.\n')
  }
})

test('what names no key, or several, is refused, and a whole key that was pasted is repeated nowhere', async () => {
  const side = folderOf({ DATABASE_URL: database.url })
  await side.call('key', 'create', 'one')
  const { stdout } = await side.call('key', 'create', 'two')
  expect(await side.call('key', 'revoke', 'mr_')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('keys begin'),
  })
  const foreign = `mr_000000000000_${'A'.repeat(43)}`
  const missed = await side.call('key', 'revoke', foreign)
  expect(missed.status).toBe(4)
  expect(missed.stderr).not.toContain('AAAA')
  expect((await side.call('key', 'create', 'three', '--role', 'king')).status).toBe(2)
  await database.clock.advance('80 days')
  expect((await side.call('key', 'list')).stdout).toContain('soon')
  expect((await side.call('doctor')).stdout).toContain('keys end soon or are too old: ')
  expect(keyIn(stdout)).toBeTruthy()
})

test('a scope that there is not makes no key, and what is printed as JSON has the names of the columns', async () => {
  const { call } = folderOf({ DATABASE_URL: database.url })
  expect(await call('key', 'create', 'typo', '--scope', 'runs:fly')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("not 'runs:fly'"),
  })
  const made = JSON.parse((await call('key', 'create', 'machine', '--json')).stdout)
  expect(Object.keys(made)).toEqual(['id', 'prefix', 'key', 'expires_at'])
  const next = JSON.parse((await call('key', 'rotate', made.prefix, '--json')).stdout)
  expect(Object.keys(next)).toEqual(['id', 'prefix', 'key', 'expires_at', 'old_expires_at'])
})

test('a key is found by its beginning however many came after it, alive or not, on the database and over HTTP', async () => {
  const { url } = await serveApi({ ann: { role: 'admin' } })
  const local = folderOf({ DATABASE_URL: database.url })
  const remote = folderOf({ MILLRACE_URL: url, MILLRACE_KEY: 'ann' })
  const [leaked, ended] = [
    (await local.call('key', 'create', 'leaked')).stdout,
    (await local.call('key', 'create', 'ended')).stdout,
  ].map((told) => keyIn(told!).slice(0, 15))
  await local.call('key', 'revoke', ended!)
  await database.query(
    `insert into millrace.api_key (id, name, prefix, digest, role, payloads, created_at, created_by, expires_at, revoked_at, revoked_by)
     select ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'hourly', 'mr_' || lpad(to_hex(n), 12, '0'), sha256(n::text::bytea),
            'viewer', false, millrace.now(), 'ci', millrace.now() + '1 h', millrace.now(), 'ci'
       from generate_series(1, 1001) n`,
  )
  try {
    for (const side of [local, remote]) {
      expect((await side.call('key', 'revoke', ended!)).stdout).toBe('The key was revoked already.\n')
      // A beginning that is not whole may be that of several, so that all are looked through.
      expect((await side.call('key', 'revoke', ended!.slice(0, 14))).stdout).toContain('already')
      expect(await side.call('key', 'revoke', 'mr_0000000')).toMatchObject({ status: 2 })
    }
    expect((await remote.call('key', 'revoke', leaked!)).stdout).toBe('The key is revoked.\n')
  } finally {
    await database.query(`delete from millrace.api_key where name = 'hourly'`)
  }
})
