// Whose data it is, said by a server for one transaction: in it, and in no other.
import { expect, test } from 'vitest'
import { openApplicationUsers } from '../../../test/application-users.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database, opened } = await openMillrace()
const users = openApplicationUsers(database, opened)

test('PP-S3 a server that is trusted says for one transaction for which tenant it asks', async () => {
  await users.server.query('begin')
  await users.server.query(`select millrace.act_for_tenant('bolt', 'ben')`)
  expect((await users.server.query('select id from millrace.own_run')).rows).toEqual([
    { id: users.runs['bolt'] },
  ])
  await users.server.query('commit')
  expect((await users.server.query('select id from millrace.own_run')).rows).toEqual([])
  for (const wrong of [
    `''`,
    'null',
    `repeat('x', 201)`,
    `'a', repeat('x', 201)`,
    `'a', 'b', array[E'c\\nd']`,
  ])
    await expect(users.server.query(`select millrace.act_for_tenant(${wrong})`)).rejects.toMatchObject({
      code: 'MR014',
    })
})

test('C2 what was said in one transaction says nothing in the next, set as a session or as a transaction', async () => {
  await users.server.query(`begin; select millrace.act_for_tenant('acme')`)
  const { rows } = await users.server.query<{ tenant: string; at: string }>(
    `select current_setting('millrace.tenant') as tenant, current_setting('millrace.tenant_at') as at`,
  )
  await users.server.query('commit')
  await users.server.query(
    `select set_config('millrace.tenant', $1, false), set_config('millrace.tenant_at', $2, false)`,
    [rows[0]!.tenant, rows[0]!.at],
  )
  await users.server.query('begin')
  expect((await users.server.query('select id from millrace.own_run')).rows).toEqual([])
  await users.server.query('commit')
})
