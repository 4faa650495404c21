// Encrypted pipelines, from the start of a run to its result: nothing of them is stored in the clear, and nothing of them is lost.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { until } from '../../test/deadline.ts'
import { asOther, openMillrace } from '../../test/millrace.ts'
import { Cipher } from '../core/encryption.ts'
import { createKeyRing } from '../core/key-ring.ts'
import { RunCipher } from '../core/run-cipher.ts'
import type { Durable } from './durable.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()

const newKey = () => randomBytes(32).toString('base64')
const [oldKey, nextKey] = [newKey(), newKey()]
const encryptionKeys = { k1: oldKey }
const canary = 'canary-7f3a'

const person = z.object({ id: z.string(), name: z.string() })

const everything = pipeline('everything', { input: person, encrypt: true, retry: { attempts: 1 } })
  .step('list', ({ input }) => [`${input.name} a`, `${input.name} b`, null])
  .map('each', { over: 'list', concurrency: 1 }, ({ item, index }) => ({ item, index }))
  .step('durable', async ({ durable, log, stream, steps }) => {
    const failing = () => Promise.reject(new Error(`${canary} failed`))
    await durable.run('got-over', failing).catch(() => undefined)
    log('a line', { of: canary })
    await stream.write({ part: canary })
    const kept = await durable.run('kept', () => `${canary} kept`)
    await durable.sleep(1)
    return { kept, second: steps.each[1] }
  })
  .step('maybe', { when: ({ input }) => input.name.startsWith('canary') }, ({ steps }) => steps.durable)
  .step('side', { after: ['list'] }, ({ steps }) => steps.list.length)
  .step('join', { after: ['maybe', 'side'] }, ({ steps }) => ({ all: steps.maybe, side: steps.side }))

const failing = pipeline('failing', { input: person, encrypt: true, retry: { attempts: 1 } })
  .step('made', () => ({ made: canary }))
  .undo(({ output, error }) => ({ undone: output, for: error }))
  .step('fail', ({ input }) => {
    throw new Error(`${input.name} is bad`)
  })

/** Every row of every table in which the text stands. */
async function findInTables(text: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r'`,
  )
  const found: string[] = []
  for (const { name } of tables) {
    const rows = await database.query(
      `select 1 from millrace."${name}" t where t::text like '%' || $1 || '%' limit 1`,
      [text],
    )
    if (rows.length > 0) found.push(name)
  }
  return found
}

test('FO-12 inputs, items, outputs, checkpoints, log fields and parts of an encrypted pipeline are nowhere in the clear, and its result is what it would be', async () => {
  await opened.worker({ pipelines: [everything], encryptionKeys })
  for (const address of [database.url, asOther(database.url)]) {
    const client = opened.client({ database: address, encryptionKeys })
    const { run } = await client.start(everything, { id: 'p1', name: canary })
    expect(await client.run<typeof everything>(run!).result()).toEqual({
      all: { kept: `${canary} kept`, second: { item: `${canary} b`, index: 1 } },
      side: 3,
    })
    const parts: unknown[] = []
    for await (const { value } of client.run(run!).stream()) parts.push(value)
    // Written again by the attempt after the sleep.
    expect(parts).toEqual([{ part: canary }, { part: canary }])
    expect(await findInTables(canary)).toEqual([])
    expect(await findInTables('$encrypted')).not.toEqual([])
  }
})

test('FO-12 the message of an error is encrypted and its code is not; whoever has the key reads it', async () => {
  await opened.worker({ pipelines: [failing], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(failing, { id: 'p1', name: canary })
  await expect(client.run(run!).result()).rejects.toMatchObject({
    code: 'run_failed',
    message: expect.stringContaining(`${canary} is bad`) as string,
  })
  await expect(opened.client().run(run!).result()).rejects.toMatchObject({
    code: 'run_failed',
    message: expect.stringContaining('[encrypted]') as string,
  })
  expect(await findInTables(canary)).toEqual([])
  const [undone] = await database.query<{ outcome: string }>(
    "select outcome from millrace.attempt where run_id = $1 and step like '%undo%'",
    [run!.id],
  )
  expect(undone).toEqual({ outcome: 'completed' })
})

test('FO-12 J5 a ciphertext that is moved to another run or field, or of which a bit is flipped, does not decrypt', async () => {
  const one = pipeline('moved', { input: person, encrypt: true, retry: { attempts: 1 } }).step(
    'only',
    ({ input }) => ({ seen: input.name }),
  )
  await opened.worker({ pipelines: [one], encryptionKeys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const started = async (name: string) => {
    const { run } = await client.start(one, { id: name, name })
    await client.run(run!).result()
    return run!.id
  }
  const [left, right] = [await started('left'), await started('right')]
  const refused = async (change: string, values: string[]) => {
    await database.query(change, values)
    await expect(client.run(left).result()).rejects.toMatchObject({ code: 'decryption_failed' })
  }
  const swap = 'update millrace.run r set output = (select'
  await refused(`${swap} o.output from millrace.run o where o.id = $2) where r.id = $1`, [left, right])
  await refused(`${swap} o.input from millrace.run o where o.id = $1) where r.id = $1`, [left])
  await database.query(`${swap} a.output from millrace.attempt a where a.run_id = $1) where r.id = $1`, [
    left,
  ])
  expect(await client.run(left).result()).toEqual({ seen: 'left' })
  await refused(
    `update millrace.run set output = jsonb_set(output, '{$encrypted,data}', to_jsonb(translate(output #>> '{$encrypted,data}', 'abcdefABCDEF', 'bcdefaBCDEFA')))
      where id = $1`,
    [left],
  )
  await refused(
    `update millrace.run set output = jsonb_set(output, '{$encrypted,nonce}', '"AAAA"') where id = $1`,
    [left],
  )
  await client.run(left).delete()
})

test('FO-12 without the key there is an error that names it, for a client, a worker and a start', async () => {
  const one = pipeline('without', { input: person, encrypt: true }).step('only', ({ input }) => input.name)
  const worker = await opened.worker({ pipelines: [one], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(one, { id: 'p', name: 'n' })
  await client.run(run!).result()
  await worker.stop()
  const missing = { code: 'encryption_key_missing', message: expect.stringContaining("'k1'") as string }
  await expect(opened.client().run(run!).result()).rejects.toMatchObject(missing)
  await expect(
    opened
      .client({ encryptionKeys: { k9: nextKey } })
      .run(run!)
      .result(),
  ).rejects.toMatchObject(missing)
  await expect(opened.client().start(one, { id: 'p', name: 'n' })).rejects.toMatchObject({
    code: 'encryption_key_missing',
  })
  await expect(opened.worker({ pipelines: [one] })).rejects.toMatchObject({ code: 'encryption_key_missing' })
  await expect(opened.client().start('without', { id: 'p', name: 'n' })).rejects.toMatchObject({
    code: 'encryption_required',
  })
  await expect(
    database.query('select * from millrace.start_run(\'without\', \'{"id": "p"}\')'),
  ).rejects.toMatchObject({ code: 'MR050' })
})

test('FO-12 an attempt whose key is not in the ring fails with its name and is tried again, and goes on where the key is back', async () => {
  const later = pipeline('later', {
    input: person,
    encrypt: true,
    retry: { attempts: 3, initial: '1h' },
  }).step('only', ({ input }) => input.name)
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run } = await client.start(later, { id: 'p', name: 'kept' })
  const without = await opened.worker({ pipelines: [later], encryptionKeys: { k2: nextKey } })
  const errors = () =>
    database.query<{ code: string }>(
      "select error ->> 'code' as code from millrace.attempt where run_id = $1",
      [run!.id],
    )
  await until('the attempt has failed', async () => (await errors()).length === 1)
  expect(await errors()).toEqual([{ code: 'encryption_key_missing' }])
  await without.stop()
  await database.clock.advance('2 hours')
  await opened.worker({ pipelines: [later], encryptionKeys: { k2: nextKey, k1: oldKey } })
  const reader = opened.client({
    database: asOther(database.url),
    encryptionKeys: { k2: nextKey, k1: oldKey },
  })
  expect(await reader.run(run!).result()).toBe('kept')
})

test('FO-12 run keys, idempotency keys and run ids work beside encrypted inputs, by what is in the clear and by digests, across a change of keys', async () => {
  const keyed = pipeline('keyed', { input: person, key: 'id', encrypt: true }).step('only', () => null)
  const client = opened.client({ encryptionKeys })
  const rotated = opened.client({ encryptionKeys: { k2: nextKey, k1: oldKey } })
  const first = await client.start(keyed, { id: 'a', name: 'first' })
  expect(await client.start(keyed, { id: 'a', name: 'second' })).toMatchObject({
    reason: 'live',
    run: first.run,
  })
  const [row] = await database.query<{ key: string }>('select key from millrace.run where id = $1', [
    first.run!.id,
  ])
  expect(row).toEqual({ key: 'a' })

  const options = { idempotencyKey: 'order-1' }
  const kept = await client.start(keyed, { id: 'b', name: 'kept' }, options)
  for (const one of [client, rotated])
    expect(await one.start(keyed, { id: 'b', name: 'kept' }, options)).toMatchObject({
      reason: 'repeated',
      run: kept.run,
    })
  const conflict = await rotated
    .start(keyed, { id: 'b', name: 'other' }, options)
    .catch((error: unknown) => error)
  expect(conflict).toMatchObject({ code: 'idempotency_conflict', fields: { differences: ['name'] } })
  expect((conflict as Error).message).not.toContain('kept')

  const named = await client.start(keyed, { id: 'c', name: 'named' })
  const again = { runId: named.run!.id }
  await expect(client.start(keyed, { id: 'c', name: 'named' }, again)).rejects.toMatchObject({
    code: 'idempotency_conflict',
  })
  const own = await client.start(
    keyed,
    { id: 'd', name: 'own' },
    { runId: crypto.randomUUID().replace(/^.{13}-.{4}/, named.run!.id.slice(0, 18)) },
  )
  expect(await rotated.start(keyed, { id: 'd', name: 'own' }, { runId: own.run!.id })).toEqual({
    created: true,
    run: own.run,
  })

  // Whoever gives an id in capital letters encrypts for the one that the database writes, and reads by it.
  const capital = own.run!.id.toUpperCase()
  expect(await rotated.start(keyed, { id: 'd', name: 'own' }, { runId: capital })).toEqual({
    created: true,
    run: own.run,
  })
  const open = pipeline('open-letter', { input: person, encrypt: true }).step(
    'only',
    ({ input }) => input.name,
  )
  await opened.worker({ pipelines: [open], encryptionKeys })
  const letter = {
    runId: crypto
      .randomUUID()
      .replace(/^.{13}-.{4}/, named.run!.id.slice(0, 18))
      .toUpperCase(),
  }
  await client.start(open, { id: 'e', name: 'read' }, letter)
  expect(await client.run(letter.runId).result()).toBe('read')

  // Without its values in the clear a keyed start is refused.
  const bare = { $encrypted: { key: 'k1', nonce: 'AA==', data: 'AA==' } }
  await expect(
    database.query("select * from millrace.start_run('keyed', $1)", [JSON.stringify(bare)]),
  ).rejects.toMatchObject({ code: 'MR003' })
})

test('FO-12 an encrypted run calls another one, and goes on as another, and each is encrypted for itself', async () => {
  const child = pipeline('sealed-child', { input: person, encrypt: true, retry: { attempts: 1 } }).step(
    'only',
    ({ input }) => {
      if (input.id === 'bad') throw new Error(`${input.name} was bad`)
      return { greeted: input.name }
    },
  )
  const parent = pipeline('sealed-parent', {
    input: z.object({ n: z.number(), name: z.string() }),
    encrypt: true,
    retry: { attempts: 1 },
  })
    .call('called', { pipeline: child, input: ({ input }) => ({ id: 'x', name: input.name }) })
    .step('more', async ({ durable, input, steps }) => {
      const many = await durable.callMany(child, [
        { id: 'good', name: input.name },
        { id: 'bad', name: input.name },
      ])
      const caught = await durable
        .call(child, { id: 'bad', name: input.name })
        .catch((error: Error) => error.message)
      if (input.n > 0) await durable.continueAs({ n: input.n - 1, name: `${input.name}!` })
      return {
        called: steps.called,
        states: many.map(({ state }) => state),
        first: many[0],
        last: many[1],
        caught,
      }
    })
  await opened.worker({ pipelines: [parent, child], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(parent, { n: 1, name: canary })
  const { continuedAs } = (await client.run(run!).result()) as { continuedAs: string }
  expect(await client.run(continuedAs).result()).toMatchObject({
    called: { greeted: `${canary}!` },
    states: ['completed', 'failed'],
    first: { output: { greeted: `${canary}!` } },
    last: { error: { message: `${canary}! was bad` } },
    caught: expect.stringContaining(`${canary}! was bad`) as string,
  })
  expect(await findInTables(canary)).toEqual([])
})

test('FO-12 J5 under load the keys are rotated: what is stored is encrypted anew beside the work, nothing is lost, and the old key is needed by nothing', async () => {
  const chain = pipeline('rotated', { input: person, encrypt: true })
    .step('list', ({ input }) => [input.name, input.name])
    .map('each', { over: 'list' }, ({ item }) => item)
    .step('end', ({ steps, durable }) => durable.run('kept', () => steps.each.join()))
  const before = opened.client({ database: asOther(database.url), encryptionKeys })
  const both = { k2: nextKey, k1: oldKey }
  const old = await opened.worker({ pipelines: [chain], encryptionKeys, slots: 10 })
  const inputs = (from: string) =>
    Array.from({ length: 100 }, (_, n) => ({ id: `${from}${n}`, name: `${from}${n}` }))
  const first = await before.startMany(chain, inputs('a'))
  // The ring grows first, so that everybody reads both; then the new key becomes the first one.
  await opened.worker({ pipelines: [chain], encryptionKeys: both, slots: 10 })
  const after = opened.client({ database: asOther(database.url), encryptionKeys: both })
  const second = after.startMany(chain, inputs('b'))
  const rotating = Array.from({ length: 5 }, () => after.reencrypt({ runsPerBatch: 20 }))
  await old.stop()
  const runs = [...first, ...(await second)].map(({ run }) => run!.id)
  const results = await Promise.all(runs.map((run) => after.run(run).result()))
  expect(results).toEqual([...inputs('a'), ...inputs('b')].map(({ name }) => `${name},${name}`))
  const rotated = [...(await Promise.all(rotating)), await after.reencrypt()]
  expect(rotated.at(-1)!.left).toEqual([])
  // The inputs of the first runs at least: they were encrypted with the old key.
  expect(rotated.reduce((sum, { values }) => sum + values, 0)).toBeGreaterThanOrEqual(first.length)
  const ofThese = "run_id in (select id from millrace.run where slug = 'rotated')"
  const old_ = await database.query(
    `select 1 from millrace.attempt where ${ofThese} and output::text like '%"k1"%'
     union all select 1 from millrace.checkpoint where ${ofThese} and value::text like '%"k1"%'
     union all select 1 from millrace.run where slug = 'rotated' and (input::text || output::text) like '%"k1"%'`,
  )
  expect(old_).toEqual([])
  const without = opened.client({ database: asOther(database.url), encryptionKeys: { k2: nextKey } })
  expect(await Promise.all(runs.map((run) => without.run(run).result()))).toEqual(results)
})

test('FO-12 results that were stored together, errors that were got over and what called runs gave are encrypted anew as well, also where the caller is in the clear', async () => {
  const child = pipeline('rotated-child', { input: person, encrypt: true, retry: { attempts: 1 } }).step(
    'only',
    ({ input }) => {
      if (input.id === 'bad') throw new Error(`${input.name} was bad`)
      return input.name
    },
  )
  const work = async (durable: Durable, id: string) => {
    const numbers = await Promise.all([1, 2, 3].map((n) => durable.run(`part-${n}`, () => n)))
    const refused = () => Promise.reject(new Error('it is got over'))
    await durable.run('got-over', refused).catch(() => {})
    await durable.call(child, { id, name: 'called' }).catch(() => {})
    return numbers
  }
  const sealed = pipeline('rotated-sealed', { input: person, encrypt: true, retry: { attempts: 1 } }).step(
    'work',
    ({ durable, input }) => work(durable, input.id),
  )
  const clear = pipeline('rotated-clear', { input: person, retry: { attempts: 1 } }).step(
    'work',
    ({ durable, input }) => work(durable, input.id),
  )
  const worker = await opened.worker({ pipelines: [child, sealed, clear], encryptionKeys })
  const before = opened.client({ encryptionKeys })
  const ids: string[] = []
  for (const id of ['good', 'bad'])
    for (const one of [sealed, clear]) {
      const { run } = await before.start(one, { id, name: 'n' })
      expect(await before.run(run!).result()).toEqual([1, 2, 3])
      ids.push(run!.id)
    }
  await worker.stop()
  const stored = () =>
    database.query<{ run_id: string; name: string; row: string }>(
      'select run_id, name, c::text as row from millrace.checkpoint c where run_id = any ($1) order by id',
      [ids],
    )
  // What is encrypted lies in a row of its own.
  const parts = (await stored()).filter(({ run_id, name }) => run_id === ids[0] && name.startsWith('part'))
  expect(parts.map(({ name }) => name)).toEqual(['part-1', 'part-2', 'part-3'])
  const after = opened.client({ encryptionKeys: { k2: nextKey, k1: oldKey } })
  const { values, left } = await after.reencrypt({ runsPerBatch: 1 })
  expect(left).toEqual([])
  expect(values).toBeGreaterThan(0)
  for (const { row } of await stored()) expect(row).not.toContain('"k1"')
  expect(await after.reencrypt()).toMatchObject({ values: 0, left: [] })
  const now = new Cipher(createKeyRing({ k2: nextKey })!, (bytes) => randomBytes(bytes))
  const cipher = new RunCipher(now, ids[0]!)
  const rows = await database.query<{ name: string; value: unknown; error: unknown }>(
    "select name, value, error from millrace.read_checkpoints($1, 'work', -1)",
    [ids[0]],
  )
  const clearly = rows.map(({ name, value, error }) =>
    error === null
      ? cipher.openCheckpoint('work', -1, name, value)
      : cipher.openKeptError('work', -1, name, error),
  )
  expect(clearly).toMatchObject([
    1,
    2,
    3,
    { message: 'it is got over' },
    { state: 'completed', output: { $encrypted: { key: 'k2' } } },
  ])
})

test('FO-12 a value that changed since it was read is not written over by what was encrypted anew', async () => {
  const one = pipeline('overtaken', { input: person, encrypt: true }).step('work', ({ durable }) =>
    durable.run('kept', () => 'mine'),
  )
  const worker = await opened.worker({ pipelines: [one], encryptionKeys })
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(one, { id: 'a', name: 'n' })
  await client.run(run!).result()
  await worker.stop()
  const written = async (old: string) =>
    (
      await database.query<{ n: number }>(
        `select millrace.write_sealed(array[$1::uuid], array['checkpoint.value'], array['work'], array[-1], array['kept'], array[null::bigint],
           array[$2::jsonb], array[jsonb_build_object('$encrypted', jsonb_build_object('key', 'k2', 'nonce', 'n', 'data', 'd'))]) as n`,
        [run!.id, old],
      )
    )[0]!.n
  const [kept] = await database.query<{ value: unknown }>(
    'select value from millrace.checkpoint where run_id = $1',
    [run!.id],
  )
  expect(await written('{"$encrypted":{"key":"k1","nonce":"of","data":"before"}}')).toBe(0)
  expect(await written(JSON.stringify(kept!.value))).toBe(1)
  await client.run(run!).delete()
})

test('FO-12 the result of a pipeline that ends with two maps is decrypted', async () => {
  const two = pipeline('two-maps', { input: person, encrypt: true })
    .step('list', ({ input }) => [input.name])
    .map('left', { over: 'list', after: ['list'] }, ({ item }) => `${item} left`)
    .map('right', { over: 'list', after: ['list'] }, ({ item }) => `${item} right`)
  await opened.worker({ pipelines: [two], encryptionKeys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run } = await client.start(two, { id: 'a', name: canary })
  expect(await client.run(run!).result()).toEqual({ left: [`${canary} left`], right: [`${canary} right`] })
})

test('FO-12 what SQL would have to read is refused when the pipeline is written', () => {
  expect(
    () =>
      pipeline('o', { encrypt: true, objectives: { size: { min: 1, output: 'size' } } }).step('s', () => 1)
        .graph,
  ).toThrow(expect.objectContaining({ code: 'pipeline_option_invalid' }))
  expect(
    () =>
      pipeline('c', { encrypt: true }).step('s', { cache: { key: () => 1, ttl: '1h' } } as never, () => 1)
        .graph,
  ).toThrow(expect.objectContaining({ code: 'pipeline_option_invalid' }))
  expect(() => pipeline('p', { encrypt: 'yes' as never })).toThrow(
    expect.objectContaining({ code: 'pipeline_option_invalid' }),
  )
  const { graph } = pipeline('g', { input: person, key: 'id', encrypt: { clear: ['name'] } }).step(
    's',
    () => 1,
  )
  expect(graph.encrypt).toEqual({ clear: [['id'], ['name']] })
  expect(pipeline('u', {}).step('s', () => 1).graph).not.toHaveProperty('encrypt')
})

test('FO-12 a failed encrypted run is redriven in place with what it has, and a copy of it, which could not read that, is refused with the reason', async () => {
  let broken = true
  const mended = pipeline('mended', { input: person, encrypt: true, retry: { attempts: 1 } })
    .step('list', ({ input }) => [input.name, `${input.name}!`])
    .map('each', { over: 'list' }, ({ item }) => {
      if (broken && item.endsWith('!')) throw new Error(`${item} is broken`)
      return item
    })
    .step('end', ({ input, steps }) => `${input.name}: ${steps.each.join()}`)
  await opened.worker({ pipelines: [mended], encryptionKeys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run } = await client.start(mended, { id: 'p', name: canary })
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  for (const copy of [client.run(run!).rerun(), client.run(run!).fork('end')])
    expect(await copy).toMatchObject({ created: false, reason: 'encrypted' })
  broken = false
  await client.run(run!).redrive()
  expect(await client.run(run!).result()).toBe(`${canary}: ${canary},${canary}!`)
  expect(await findInTables(canary)).toEqual([])
})

test('FO-12 an edited input of an encrypted run is refused, and neither it nor a digest of it is kept', async () => {
  const failed = pipeline('edited', { input: person, encrypt: true, retry: { attempts: 1 } }).step(
    'only',
    () => {
      throw new Error('it is bad')
    },
  )
  await opened.worker({ pipelines: [failed], encryptionKeys })
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  const { run } = await client.start(failed, { id: 'p', name: 'n' })
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  const input = { id: 'p', name: canary }
  // Sent again, as after a lost answer, it is the same.
  for (let time = 0; time < 2; time++)
    expect(await client.run(run!).redrive({ input, idempotencyKey: 'edit' })).toMatchObject({
      redriven: false,
      reason: 'encrypted',
    })
  const paced = await database.query<{ refused: number }>(
    "select refused from millrace.start_redrive(jsonb_build_object('runs', array[$1::uuid]), input => $2, rate => 1)",
    [run!.id, JSON.stringify(input)],
  )
  expect(paced).toEqual([{ refused: 1 }])
  expect(
    await database.query(
      'select 1 from millrace.redrive where input_digest = sha256(convert_to($1::jsonb::text, $2))',
      [JSON.stringify(input), 'UTF8'],
    ),
  ).toEqual([])
  expect(await findInTables(canary)).toEqual([])
  expect((await client.run(run!).redrive()).redriven).toBe(true)
})

test('E2 a conflict of an idempotency key says where the inputs differ, in the SDK, in a transaction and in SQL', async () => {
  const open = pipeline('open-inputs', { input: z.object({ total: z.number(), to: z.string() }) }).step(
    'only',
    () => 1,
  )
  const client = opened.client()
  const options = { idempotencyKey: 'order-9' }
  const { run } = await client.start(open, { total: 10, to: 'Ada' }, options)
  const refused = {
    code: 'idempotency_conflict',
    message: expect.stringContaining(`by run ${run!.id}; they differ at total (10, now 20)`) as string,
    fields: { differences: ['total'], runId: run!.id },
  }
  await expect(client.start(open, { total: 20, to: 'Ada' }, options)).rejects.toMatchObject(refused)
  const transaction = await database.pool.connect()
  await transaction.query('begin')
  await expect(
    client.start(open, { total: 20, to: 'Ada' }, { ...options, tx: transaction }),
  ).rejects.toMatchObject(refused)
  await transaction.query('rollback')
  transaction.release()
  await expect(
    database.query(
      `select * from millrace.start_run('open-inputs', '{"total": 10, "to": "Bob"}', idempotency_key => 'order-9')`,
    ),
  ).rejects.toMatchObject({ code: 'MR009', message: expect.stringContaining('they differ at to') as string })
})

test('JQ-7 an idempotency key is taken over once its lifetime is past, with the digest of its new input', async () => {
  const keyed = pipeline('lifetimes', { input: person, encrypt: true }).step('only', () => 1)
  const client = opened.client({ encryptionKeys })
  const options = { idempotencyKey: 'short', idempotencySeconds: 60 }
  const first = await client.start(keyed, { id: 'a', name: 'a' }, options)
  await database.clock.advance('61 seconds')
  const second = await client.start(keyed, { id: 'b', name: 'b' }, options)
  expect(second).toMatchObject({ created: true })
  expect(second.run).not.toEqual(first.run)
  expect(await client.start(keyed, { id: 'b', name: 'b' }, options)).toMatchObject({
    reason: 'repeated',
    run: second.run,
  })
})

test('JQ-29 the intent is written before the effect: while the handler is at work the database knows the attempt, and each one brings the same key', async () => {
  const seen: unknown[] = []
  const effect = pipeline('effect', {
    input: person,
    retry: { attempts: 2, initial: 0, jitter: 'none' },
  }).step('out', async ({ attempt, idempotencyKey, run, durable }) => {
    // By another connection: what it sees is committed.
    const [held] = await database.query(
      'select attempt, worker_id is not null as held from millrace.task where run_id = $1',
      [run.id],
    )
    const inner = await durable.run('pay', (context) => context.idempotencyKey)
    seen.push({
      attempt,
      held,
      key: idempotencyKey.replace(run.id, 'run'),
      inner: inner.replace(run.id, 'run'),
    })
    if (attempt === 1) throw new Error('the answer was lost')
  })
  await opened.worker({ pipelines: [effect] })
  const client = opened.client()
  const { run } = await client.start(effect, { id: 'a', name: 'a' })
  await client.run(run!).result()
  const told = (attempt: number) => ({
    attempt,
    held: { attempt, held: true },
    key: 'run:out',
    inner: 'run:out:pay',
  })
  expect(seen).toEqual([told(1), told(2)])
})
