// Encrypting anew that dies in the middle: what it had written is written, what it had not is as it was, and the next one does the rest.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { RunCipher } from '../core/run-cipher.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import type { Durable } from './durable.ts'
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

/** The tables in which something is encrypted with a key, or digested with it. */
async function tablesWith(key: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    "select c.relname as name from pg_class c where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r'",
  )
  const found: string[] = []
  for (const { name } of tables) {
    const rows = await database.query(
      `select 1 from millrace."${name}" t where to_jsonb(t)::text like '%"key": "' || $1 || '"%' limit 1`,
      [key],
    )
    if (rows.length > 0) found.push(name)
  }
  return found
}

test('J5 how runs had failed that were redriven, and those of a schedule, is encrypted anew as well, also where the caller is in the clear', async () => {
  let broken = true
  const child = pipeline('failing-child', { encrypt: true, retry: { attempts: 1 } }).step('only', () => {
    throw new Error('it is bad')
  })
  const work = async (durable: Durable) => {
    if (!broken) return 'mended'
    await durable.run('refused', () => Promise.reject(new Error('it was refused'))).catch(() => {})
    return durable.call(child, null)
  }
  const sealed = pipeline('redriven', { encrypt: true, retry: { attempts: 1 } }).step('work', ({ durable }) =>
    work(durable),
  )
  const clear = pipeline('redriven-clear', { retry: { attempts: 1 } }).step('work', ({ durable }) =>
    work(durable),
  )
  const nightly = (encrypt: boolean) =>
    pipeline('nightly', { retry: { attempts: 1 }, ...(encrypt && { encrypt }) }).step('only', () => {
      throw new Error('it was bad tonight')
    })
  const before = opened.client({ encryptionKeys: { k1: oldKey } })
  const former = await opened.worker({ pipelines: [nightly(false)], encryptionKeys: { k1: oldKey } })
  await before.schedules.define('nightly', { pipeline: 'nightly', every: '1d' })
  await former.stop()
  const worker = await opened.worker({
    pipelines: [child, sealed, clear, nightly(true)],
    encryptionKeys: { k1: oldKey },
  })
  const runs: string[] = []
  for (const one of [sealed, clear]) {
    const { run } = await before.start(one, null)
    await expect(before.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
    runs.push(run!.id)
  }
  broken = false
  for (const run of runs) {
    await before.run(run).redrive()
    expect(await before.run(run).result()).toBe('mended')
  }
  await before.schedules.trigger('nightly')
  await until('its firing has failed', async () => {
    const [firing] = await before.schedules.firings('nightly')
    return firing?.state === 'failed'
  })
  await worker.stop()
  expect(await tablesWith('k1')).toEqual(expect.arrayContaining(['firing']))

  const after = opened.client({ encryptionKeys: both })
  const { left } = await after.reencrypt({ runsPerBatch: 2 })
  expect(left).toEqual([])
  expect(await tablesWith('k1')).toEqual([])
  expect(await after.reencrypt()).toMatchObject({ values: 0, left: [] })
  // What went into the history is still for the place where it came from.
  const ring = createCipher({ k2: nextKey }, {})!
  const redriven = await database.query<{ run_id: string; detail: Redriven }>(
    `select run_id, detail from millrace.event where kind = 'run.redriven' order by run_id`,
  )
  const told = redriven.map(({ run_id, detail: { error, forgotten } }) => [
    new RunCipher(ring, run_id).openError('work', -1, error),
    ...forgotten.map(({ name, value, error: kept }) =>
      value === undefined
        ? new RunCipher(ring, run_id).openKeptError('work', -1, name, kept)
        : new RunCipher(ring, value.run).openError('only', -1, value.error),
    ),
  ])
  const expected = ['failed: it is bad', 'it was refused', 'it is bad'].map((message) => ({
    message: expect.stringContaining(message) as string,
  }))
  expect(told).toMatchObject([expected, expected])
})

interface Redriven {
  readonly error: unknown
  readonly forgotten: ReadonlyArray<{
    readonly name: string
    readonly value?: { readonly run: string; readonly error: unknown }
    readonly error?: unknown
  }>
}

test('a value of which it is not known for what it was encrypted is told as one that stays', async () => {
  const one = pipeline('strange', { encrypt: true }).step('only', ({ log }) => log('a line'))
  await opened.worker({ pipelines: [one], encryptionKeys: both })
  const client = opened.client({ encryptionKeys: both })
  const { run } = await client.start(one, null)
  await client.run(run!).result()
  await database.query(
    `update millrace.event set detail = detail || '{"other": {"$encrypted": {"key": "k1", "nonce": "n", "data": "d"}}}' where run_id = $1`,
    [run!.id],
  )
  expect((await client.reencrypt()).left).toEqual([
    {
      run: run!.id,
      place: 'event.detail',
      reason: 'Something in it is encrypted with another key, and it is not known for what.',
    },
  ])
  await client.run(run!).delete()
})

test('a secret whose key is lost is told as one that stays, and holds up no other', async () => {
  const lost = opened.client({ encryptionKeys: { k0: randomBytes(32).toString('base64') } })
  const before = opened.client({ encryptionKeys: { k1: oldKey } })
  // More of them than are read at once, and before the others.
  for (let n = 0; n < 11; n++)
    for (let version = 1; version <= 10; version++) await lost.secrets.set(`a/${n}`, { value: `lost ${n}` })
  await before.secrets.set('b', { value: 'first' })
  await before.secrets.set('b', { value: 'second' })
  const after = opened.client({ encryptionKeys: both })
  const { secrets, left } = await after.reencrypt()
  expect(secrets).toBe(2)
  expect(left).toHaveLength(110)
  expect(left[0]).toEqual({
    run: 'a/0',
    place: 'secret.version 1',
    reason: "The value of secret 'a/0' is encrypted with key 'k0', which is not in the key ring.",
  })
  expect(await after.reencrypt()).toMatchObject({ secrets: 0, left })
  for (let n = 0; n < 11; n++) await after.secrets.remove(`a/${n}`)
})

test.each([0, -1, 0.5, Number.NaN, 10_001])(
  'a batch of %d runs is refused, here and in the database: it would tell that nothing is left',
  async (runsPerBatch) => {
    await expect(opened.client({ encryptionKeys: both }).reencrypt({ runsPerBatch })).rejects.toMatchObject({
      code: 'argument_invalid',
    })
    if (!Number.isInteger(runsPerBatch)) return
    await expect(
      database.query("select * from millrace.read_sealed('k2', null, $1)", [runsPerBatch]),
    ).rejects.toMatchObject({ code: 'MR014' })
  },
)
