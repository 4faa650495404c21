// Encrypting anew that dies in the middle: what it had written is written, what it had not is as it was, and the next one does the rest.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openMillrace } from '../../test/millrace.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { reencrypt, reencryptBatch } from './key-rotation.ts'
import { pipeline } from './pipeline.ts'
import { sealBody } from './sealed-deliveries.ts'
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

test('deliveries are encrypted anew a batch a call, behind the runs and before the secrets', async () => {
  const [older, cipher] = [createCipher({ k1: oldKey }, {})!, createCipher(both, {})!]
  const ids = [1, 2, 3].map((n) => `00000000-0000-7000-8000-00000000000${n}`)
  const deliveries = ids.map((id) => {
    const of = { id, webhook: 'sealed', provider_id: null }
    return { ...of, sealed_body: sealBody(older, of, Buffer.from(id)) }
  })
  const called: string[] = []
  const stand: Caller = {
    call: (statement, values) => {
      called.push(statement.name)
      const answers: Record<string, unknown[]> = {
        millrace_read_sealed_deliveries: deliveries
          .filter(({ id }) => id > ((values[1] ?? '') as string))
          .slice(0, 2),
        millrace_write_sealed_deliveries: [{ written: (values[0] as unknown[])?.length }],
      }
      return Promise.resolve((answers[statement.name] ?? []) as never)
    },
  } as Caller
  const next = async (after: string | null) => {
    called.splice(0)
    const { values, left, next: place } = await reencryptBatch(stand, cipher, { runsPerBatch: 100, after })
    expect(left).toEqual([])
    return [values, place, [...called]]
  }
  const [read, write] = ['millrace_read_sealed_deliveries', 'millrace_write_sealed_deliveries']
  expect(await next(null)).toEqual([2, `deliveries:${ids[1]}`, ['millrace_read_sealed', read, write]])
  expect(await next(`deliveries:${ids[1]}`)).toEqual([1, `deliveries:${ids[2]}`, [read, write]])
  expect(await next(`deliveries:${ids[2]}`)).toEqual([0, null, [read, 'millrace_read_sealed_secrets']])
})
