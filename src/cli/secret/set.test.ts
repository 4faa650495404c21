// Secrets on the command line: written from stdin, listed without their values; and payloads, which are shown only to whoever has the key.
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openFolder } from '../../../test/commands.ts'
import { asOther, openMillrace } from '../../../test/millrace.ts'
import { pipeline } from '../../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const [oldKey, nextKey] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
const MILLRACE_ENCRYPTION_KEYS = `k2:${nextKey}, k1:${oldKey}`
const folder = openFolder({ DATABASE_URL: database.url, MILLRACE_ENCRYPTION_KEYS })
const keyless = openFolder({ DATABASE_URL: database.url })
afterAll(() => {
  folder.close()
  keyless.close()
})

test('JQ-33 a secret is set, rotated, listed and removed, and its value comes from stdin and is never printed', async () => {
  expect((await folder.call('secret', 'list')).stdout).toBe('There is no secret.\n')
  expect(
    await folder.callWithInput('s3cret-one\n', 'secret', 'set', 'mail/token', '--max-age', '90d'),
  ).toMatchObject({
    status: 0,
    stdout: 'Secret mail/token has version 1.\n',
  })
  expect((await folder.callWithInput('s3cret-two', 'secret', 'rotate', 'mail/token')).stdout).toContain(
    'version 2',
  )
  expect((await folder.call('secret', 'set', 'db', '--from-environment', 'DB_PASSWORD')).status).toBe(0)
  expect((await folder.call('secret', 'rotate', 'db')).stdout).toContain('version 2')
  const listed = await folder.call('secret', 'list')
  expect(listed.stdout).toContain('mail/token')
  expect(listed.stdout).toContain('environment DB_PASSWORD')
  expect(listed.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
  const told = JSON.parse((await folder.call('secret', 'list', '--json')).stdout) as unknown[]
  expect(told).toHaveLength(2)
  expect(`${listed.stdout}${JSON.stringify(told)}`).not.toContain('s3cret')
  expect((await folder.call('doctor')).stdout).toContain('2 secrets, none older than it may be')
  await database.clock.advance('91 days')
  expect((await folder.call('doctor')).stdout).toMatch(/1 secret is older than it may be:\s+mail\/token/)
  await database.clock.reset()
  expect(await folder.call('secret', 'remove', 'db')).toMatchObject({ status: 0 })
  expect(await folder.call('secret', 'remove', 'db')).toMatchObject({ status: 4 })
  expect(await folder.callWithInput('', 'secret', 'set', 'empty')).toMatchObject({ status: 2 })
  expect(await folder.callWithInput('abc', 'secret', 'set', 'short')).toMatchObject({ status: 2 })
  const without = await keyless.callWithInput('s3cret-three', 'secret', 'set', 'other')
  expect(without).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(
      'export MILLRACE_ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)"',
    ) as string,
  })
  expect(without.stderr).not.toContain('s3cret')
})

test('FO-12 what is encrypted is shown to whoever has the key, and to others as encrypted; rotate leaves nothing under the old key', async () => {
  const sealed = pipeline('cli-sealed', {
    input: z.object({ name: z.string() }),
    encrypt: true,
    retry: { attempts: 1 },
  }).step('only', ({ input, log }) => {
    log('it runs', { name: input.name })
    return { hello: input.name }
  })
  await opened.worker({ pipelines: [sealed], encryptionKeys: { k1: oldKey } })
  const client = opened.client({ database: asOther(database.url), encryptionKeys: { k1: oldKey } })
  const { run } = await client.start(sealed, { name: 'Ada' })
  await client.run(run!).result()
  const withKey = await folder.call('run', 'show', run!.id)
  expect(withKey.stdout).toContain('{"hello":"Ada"}')
  const withoutKey = await keyless.call('run', 'show', run!.id)
  expect(withoutKey.stdout).toContain("encrypted with key 'k1'")
  expect(withoutKey.stdout).not.toContain('Ada')
  expect((await keyless.call('run', 'account', run!.id)).stdout).toContain(
    'it runs "encrypted with key \'k1\'"',
  )
  const rotated = await folder.call('encryption', 'rotate')
  expect(rotated.stdout).toMatch(/^4 values and 0 versions of secrets were encrypted anew with key 'k2'/)
  expect((await folder.call('encryption', 'rotate', '--json')).stdout).toContain('"values": 0')
  expect((await keyless.call('run', 'show', run!.id)).stdout).toContain("encrypted with key 'k2'")
  expect(await keyless.call('encryption', 'rotate')).toMatchObject({ status: 2 })
})

test('a run is counted and deleted, and a tenant is erased only where that was said', async () => {
  const plain = pipeline('cli-plain').step('only', () => 1)
  await opened.worker({ pipelines: [plain] })
  const client = opened.client({ database: asOther(database.url) })
  const started = async (tenant: string) => {
    const { run } = await client.start(plain, null, { tenant })
    await client.run(run!).result()
    return run!.id
  }
  const id = await started('acme')
  expect((await folder.call('run', 'delete', id, '--dry-run')).stdout).toMatch(/run +1\nattempt +1\n/)
  expect((await folder.call('run', 'delete', id, '--reason', 'asked')).stdout).toContain(
    `Run ${id} is deleted:`,
  )
  expect((await folder.call('run', 'delete', id)).stderr).toContain('There is no run')
  await started('acme')
  expect(await folder.call('tenant', 'erase', 'acme')).toMatchObject({ status: 2 })
  expect((await folder.call('tenant', 'erase', 'acme', '--dry-run')).stdout).toMatch(/run +1\n/)
  const erased = JSON.parse(
    (await folder.call('tenant', 'erase', 'acme', '--yes', '--json')).stdout,
  ) as unknown
  expect(erased).toMatchObject({ tenant: 'acme', rows: { run: 1 } })
})
