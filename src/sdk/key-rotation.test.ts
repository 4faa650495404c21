// Encrypting anew that dies in the middle: what it had written is written, what it had not is as it was, and the next one does the rest.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openMillrace } from '../../test/millrace.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { reencrypt } from './key-rotation.ts'
import { pipeline } from './pipeline.ts'
import { createCipher } from './sealed-runs.ts'

const { database, opened } = await openMillrace()
const [oldKey, nextKey] = [1, 2].map(() => randomBytes(32).toString('base64')) as [string, string]
const both = { k2: nextKey, k1: oldKey }

/** Writes twice, and is gone with the third: its answer never comes, as that of a process that was killed. */
function dying(caller: Caller): Caller {
  let writes = 0
  return {
    ...caller,
    call: <Row>(...given: Parameters<Caller['call']>) => {
      if (given[0].name === 'millrace_write_sealed' && writes++ === 2)
        return Promise.reject(new Error('the process was killed'))
      return caller.call<Row>(...given)
    },
  }
}

test('J5 a rotation that dies in the middle leaves every value readable with both keys, and the next one does the rest', async () => {
  const named = pipeline('named', { input: z.object({ name: z.string() }), encrypt: true }).step(
    'only',
    ({ input }) => input.name.toUpperCase(),
  )
  await opened.worker({ pipelines: [named], encryptionKeys: { k1: oldKey } })
  const before = opened.client({ encryptionKeys: { k1: oldKey } })
  const names = Array.from({ length: 6 }, (_, n) => `name-${n}`)
  const runs = (
    await before.startMany(
      named,
      names.map((name) => ({ name })),
    )
  ).map(({ run }) => run!.id)
  const expected = names.map((name) => name.toUpperCase())
  expect(await Promise.all(runs.map((run) => before.run(run).result()))).toEqual(expected)

  const caller = poolCaller(database.pool, { prepare: true, database: 'the test' })
  const cipher = createCipher(both, {})
  await expect(reencrypt(dying(caller), cipher, { runsPerBatch: 1 })).rejects.toThrow(
    'the process was killed',
  )
  const keys = async () =>
    (
      await database.query<{ key: string }>(
        "select distinct input -> '$encrypted' ->> 'key' as key from millrace.run order by 1",
      )
    ).map(({ key }) => key)
  expect(await keys()).toEqual(['k1', 'k2'])
  const after = opened.client({ encryptionKeys: both })
  expect(await Promise.all(runs.map((run) => after.run(run).result()))).toEqual(expected)

  expect((await reencrypt(caller, cipher, { runsPerBatch: 1 })).left).toEqual([])
  expect(await keys()).toEqual(['k2'])
  const without = opened.client({ encryptionKeys: { k2: nextKey } })
  expect(await Promise.all(runs.map((run) => without.run(run).result()))).toEqual(expected)
})
