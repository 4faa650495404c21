// The list of limits says how busy each is as a whole, and where it has counted a part only.
import { afterAll, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { defineLimit } from '../../../test/limits.ts'
import { openMillrace } from '../../../test/millrace.ts'

const { database } = await openMillrace()
const folder = openFolder({ DATABASE_URL: database.url })
afterAll(() => folder.close())

test.each([
  [60, '180'],
  [120, '300+'],
])('of a limit with %d keys, each with 3 slots in use, %s are listed', async (keys, listed) => {
  const name = `keys-${keys}`
  await defineLimit(database, name, { kind: 'concurrency', capacity: 5, key: [['account']] }, 'orders')
  await database.query(
    `insert into millrace.limit_state (id, rule_id, key, used, changed_at)
     select millrace.limit_state_id(k.id, n::text), k.id, n::text, 3, now() from millrace.limit_rule k, generate_series(1, $2) n where k.name = $1`,
    [name, keys],
  )
  const line = (await folder.call('limit', 'list')).stdout.split('\n').find((one) => one.startsWith(name))
  expect(line?.trim().split(/\s+/).slice(-2)).toEqual([listed, '0'])
})
