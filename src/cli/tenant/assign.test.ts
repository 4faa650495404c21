// Which database roles stand for which tenants, on the command line.
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const folder = openFolder({ MILLRACE_DATABASE_URL: database.url })
const role = `assigned_${randomBytes(4).toString('hex')}`
afterAll(() => folder.close())

test('a database role is assigned to a tenant, listed, and taken back; one that is not there is refused', async () => {
  await database.query(`create role ${role}`)
  expect((await folder.call('tenant', 'roles')).stdout).toContain('No database role')
  expect(await folder.call('tenant', 'assign', role, 'acme')).toMatchObject({ status: 0 })
  expect(JSON.parse((await folder.call('--json', 'tenant', 'roles')).stdout)).toMatchObject([
    { role, tenant: 'acme' },
  ])
  expect((await folder.call('tenant', 'roles')).stdout).toContain('acme')
  expect((await folder.call('tenant', 'assign', 'nobody_here', 'acme')).stderr).toContain('nobody_here')
  expect(await folder.call('tenant', 'unassign', role)).toMatchObject({ status: 0 })
  expect(JSON.parse((await folder.call('--json', 'tenant', 'roles')).stdout)).toEqual([])
  await database.query(`drop role ${role}`)
})
