// Erasing: all of a run or a tenant goes out of every table that there is, and only that it went is kept.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineLimit, miscounted } from '../../../test/limits.ts'
import { asOther, openMillrace } from '../../../test/millrace.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  connect,
  promote,
  startRun,
} from '../../../test/protocol.ts'
import { defineStartRule } from '../../../test/start-rules.ts'
import { pipeline } from '../../../src/sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const encryptionKeys = { k1: randomBytes(32).toString('base64') }
const canary = 'erase-me-5b1c'

const child = pipeline('erased-child', { input: z.object({ text: z.string() }) }).step(
  'only',
  ({ input }) => input.text,
)
const all = pipeline('erased', {
  input: z.object({ text: z.string(), fail: z.boolean().optional() }),
  key: 'text',
  retry: { attempts: 1 },
})
  .step('list', async ({ input, log, progress, setMetadata, metric, stream, durable, secret }) => {
    await secret('used')
    log(`a line of ${input.text}`)
    progress(1, 2, input.text)
    setMetadata({ text: input.text })
    metric('count', 1, { text: input.text })
    await stream.write(input.text)
    await durable.run('kept', () => input.text)
    const { payload } = (await durable.signal('go')) as { payload: unknown }
    await durable.call(child, { text: input.text })
    return [payload, input.text]
  })
  .map('each', { over: 'list' }, ({ item }) => item)
  .step('end', ({ input, steps }) => {
    if (input.fail === true) throw new Error(input.text)
    return steps.each
  })

async function findInTables(text: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r'`,
  )
  const found: string[] = []
  for (const { name } of tables) {
    const rows = await database.query(
      `select 1 from millrace."${name}" t where position($1 in t::text) > 0 limit 1`,
      [text],
    )
    if (rows.length > 0) found.push(name)
  }
  return found
}

async function finished(text: string, options: { tenant?: string; fail?: boolean } = {}) {
  const client = opened.client({ database: asOther(database.url), encryptionKeys })
  await client.secrets.set('used', { value: 'used-value' })
  await client.signal('go', { text })
  const { tenant, fail } = options
  const { run } = await client.start(
    all,
    { text, ...(fail !== undefined && { fail }) },
    { idempotencyKey: text, ...(tenant !== undefined && { tenant }) },
  )
  await client
    .run(run!)
    .result()
    .catch(() => undefined)
  return { client, id: run!.id }
}

test('every table with rows of runs or tenants is covered: by its column, by an index on it, or by what it hangs from', async () => {
  const tables = await database.query<{ name: string; columns: string[] }>(
    `select c.relname as name, array_agg(a.attname::text) as columns
       from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition group by c.relname`,
  )
  const [{ runs, tenants }] = (await database.query<{ runs: string[]; tenants: string[] }>(
    'select millrace.tables_of_runs() as runs, millrace.tables_of_tenants() as tenants',
  )) as [{ runs: string[]; tenants: string[] }]
  for (const { name, columns } of tables) {
    if (columns.includes('run_id')) expect(runs).toContain(name)
    if (columns.includes('tenant') && name !== 'run') expect(tenants).toContain(name)
  }
  const history = await database.query<{ name: string }>(
    'select t.name from unnest(millrace.history_tables() || millrace.run_tables()) t(name)',
  )
  for (const { name } of history) if (name !== 'run') expect(runs).toContain(name)
  // A table of millions of rows is not read from end to end for each batch.
  const unindexed = await database.query<{ name: string }>(
    `select t.name from unnest(millrace.tables_of_runs()) t(name)
      where not exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'run_id'
                         where i.indrelid = ('millrace.' || t.name)::regclass and a.attnum = i.indkey[0])`,
  )
  // Found by its own key, which the run knows.
  expect(unindexed).toEqual([{ name: 'idempotency' }])
  // What hangs from rows of runs goes with them.
  const hanging = await database.query<{ name: string }>(
    `select k.conrelid::regclass::text || ' to ' || k.confrelid::regclass as name from pg_constraint k
      where k.connamespace = 'millrace'::regnamespace and k.contype = 'f' and k.conparentid = 0
        and k.confrelid in (select ('millrace.' || t)::regclass from unnest(millrace.tables_of_runs()) t) and k.confdeltype not in ('c', 'n')`,
  )
  expect(hanging).toEqual([])
})

test('delete_run takes all of a run and of those that it called out of every table, counts it before, and keeps only that it was done', async () => {
  await opened.worker({ pipelines: [all, child], encryptionKeys })
  const { client, id } = await finished(canary, { fail: true })
  const other = await finished('somebody-else')
  expect((await findInTables(canary)).length).toBeGreaterThan(8)
  await database.query(
    "insert into millrace.idempotency select slug, tenant, key || ' again', input_digest, run_id, expires_at from millrace.idempotency where run_id = $1",
    [id],
  )
  await database.query(
    `insert into millrace.coalesced_start (run_id, rule, kind, starts, first_at, last_at) values ($1, 'all', 'debounce', 2, millrace.now(), millrace.now())`,
    [id],
  )
  const counted = await client.run(id).delete({ dryRun: true })
  expect(counted).toMatchObject({ run: 2, secret_read: expect.any(Number) as number })
  expect((await findInTables(canary)).length).toBeGreaterThan(8)
  const gone = await client.run(id).delete({ reason: 'asked by its owner' })
  expect(gone).toMatchObject({ run: 2, dead_letter: 1, idempotency: 2, signal: 1 })
  expect(await findInTables(canary)).toEqual([])
  expect((await findInTables(id)).sort()).toEqual(['audit_entry', 'erasure'])
  const [erasure] = await database.query('select erased_run, reason, counts, begun_by from millrace.erasure')
  expect(erasure).toMatchObject({ erased_run: id, reason: 'asked by its owner', counts: gone })
  await expect(client.run(id).delete()).rejects.toMatchObject({ code: 'run_unknown' })
  expect(await client.run(other.id).result()).toEqual([{ text: 'somebody-else' }, 'somebody-else'])
})

test('a live run is not deleted, nor a tenant with one: it is cancelled first', async () => {
  const client = opened.client({ encryptionKeys })
  const { run } = await client.start(all, { text: 'live' }, { tenant: 'living' })
  await expect(client.run(run!).delete()).rejects.toMatchObject({ code: 'run_live' })
  await expect(client.eraseTenant('living')).rejects.toMatchObject({ code: 'run_live' })
  expect(await client.eraseTenant('living', { dryRun: true })).toMatchObject({
    erasure: null,
    rows: { run: 1 },
  })
  await client.run(run!).cancel()
  expect(await client.eraseTenant('living')).toMatchObject({ rows: { run: 1 } })
})

test('erase_tenant takes all of a tenant, batch by batch, on one record, and leaves every other', async () => {
  await opened.worker({ pipelines: [all, child], encryptionKeys })
  const { client } = await finished(`${canary}-t`, { tenant: 'left' })
  const kept = await finished('stays', { tenant: 'stays' })
  await opened.close()
  const again = opened.client({ encryptionKeys })
  const more = await again.startMany(
    pipeline('many', { input: z.object({ text: z.string() }) }).step('only', () => 1),
    Array.from({ length: 25 }, () => ({ text: `${canary}-t` })),
    { tenant: 'left' },
  )
  for (const { run } of more) await again.run(run!).cancel()
  // A key whose run retention has taken already.
  await database.query(
    `insert into millrace.idempotency (slug, tenant, key, input_digest, run_id, expires_at)
     values ('many', 'left', 'orphan', '\\x00', gen_random_uuid(), now() + interval '1 day')`,
  )
  const { erasure, rows } = await again.eraseTenant('left', { runsPerBatch: 10, reason: 'left us' })
  expect(rows).toMatchObject({ run: 27, idempotency: 2 })
  expect(await findInTables(`${canary}-t`)).toEqual([])
  expect(await database.query("select 1 from millrace.run where tenant = 'left'")).toEqual([])
  const [record] = await database.query(
    'select erased_tenant, counts, finished_at is not null as done from millrace.erasure where id = $1',
    [erasure],
  )
  expect(record).toEqual({ erased_tenant: 'left', counts: rows, done: true })
  expect(await again.run(kept.id).result()).toEqual([{ text: 'stays' }, 'stays'])
  void client
})

test('two who delete a run at once do it once, and a worker that is still at an aborted step of it writes nothing after', async () => {
  const held = pipeline('held').step(
    'wait',
    ({ abort }) => new Promise((resolve) => abort.addEventListener('abort', () => setTimeout(resolve, 50))),
  )
  await opened.worker({ pipelines: [held] })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(held, null)
  await client.run(run!).cancel()
  const ends = await Promise.allSettled([client.run(run!).delete(), client.run(run!).delete()])
  expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
  await opened.close()
  expect(
    (await findInTables(run!.id)).filter((table) => !['audit_entry', 'erasure'].includes(table)),
  ).toEqual([])
})

test('a run that is deleted while a step of it is still being aborted gives back what the step held of limits', async () => {
  const worker = await workerOf(database, 'slotted', chain('only'))
  await defineLimit(database, 'slotted-one', { kind: 'concurrency', capacity: 1 }, 'slotted')
  const { run_id } = await startRun(database, 'slotted')
  const aborted = await claimOne(database, worker)
  const next = await startRun(database, 'slotted')
  expect(await claim(database, worker, 1)).toEqual([])
  await cancelRun(database, run_id)
  await database.query('select millrace.delete_run($1)', [run_id])
  expect(await complete(database, worker, [{ task: aborted }])).toMatchObject([{ kind: 'lost' }])
  expect(await miscounted(database)).toEqual([])
  const task = await claimOne(database, worker)
  expect(task.run_id).toBe(next.run_id)
  await complete(database, worker, [{ task }])
})

test('what a run emitted, and nothing is started for yet, starts its runs also once that run is deleted', async () => {
  const worker = await workerOf(database, 'emitting', chain('only'))
  await database.query('select millrace.define_subscription($1, $2)', [
    'emitted-on',
    JSON.stringify({ event: 'emitted-on', pipeline: 'emitting' }),
  ])
  const { run_id } = await startRun(database, 'emitting')
  const emit = (n: number) =>
    database.query("select millrace.emit('emitted-on', $1, run_id => $2, step => 'only')", [
      JSON.stringify({ n }),
      run_id,
    ])
  await emit(1)
  await database.query('select * from millrace.work_events()')
  await emit(2)
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  const deleted = async (dry: boolean) => {
    const [row] = await database.query<{ counts: object }>('select millrace.delete_run($1, $2) as counts', [
      run_id,
      dry,
    ])
    return row!.counts
  }
  expect(await deleted(true)).toMatchObject({ emitted_event: 1 })
  expect(await deleted(false)).toMatchObject({ emitted_event: 1 })
  expect((await findInTables(run_id)).sort()).toEqual(['audit_entry', 'erasure'])
  await database.query('select * from millrace.work_events()')
  const inputs = await database.query(
    "select input from millrace.run where slug = 'emitting' and started_via = 'event' order by id",
  )
  expect(inputs).toEqual([{ input: { n: 1 } }, { input: { n: 2 } }])
})

test('to delete a run no key of another one is read, unless other starts went into it', async () => {
  const worker = await workerOf(database, 'keyed-once', chain('only'))
  const { run_id } = await startRun(database, 'keyed-once', null, { idempotencyKey: 'one' })
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  const sql = await connect(database)
  await sql.query('begin')
  await sql.query('set local enable_seqscan = off')
  const [gone] = await sql.query<{ counts: object }>('select millrace.delete_run($1) as counts', [run_id])
  expect(gone!.counts).toMatchObject({ run: 1, idempotency: 1 })
  const [read] = await sql.query<{ seq_scan: string }>(
    "select seq_scan from pg_stat_xact_user_tables where schemaname = 'millrace' and relname = 'idempotency'",
  )
  expect(read).toEqual({ seq_scan: '0' })
  await sql.query('rollback')
  await sql.end()
})

test('FO-6 a throttle remembers what it let pass, also once the run that took in the others is deleted', async () => {
  const worker = await workerOf(database, 'throttled', chain('only'))
  const rule = { kind: 'throttle', starts: 1, per_ms: 3_600_000, surplus: 'coalesce' }
  await defineStartRule(database, 'throttled', 'hourly', rule)
  await database.clock.freeze()
  await startRun(database, 'throttled')
  const later = await startRun(database, 'throttled')
  await database.clock.advance('1h')
  await promote(database)
  for (const task of await claim(database, worker, 9)) await complete(database, worker, [{ task }])
  await database.query('select millrace.delete_run($1)', [later.run_id])
  const next = await startRun(database, 'throttled')
  expect(next.created).toBe(true)
  expect(await claim(database, worker, 9)).toEqual([])
  await database.clock.advance('1h')
  await promote(database)
  expect((await claim(database, worker, 9)).map(({ run_id }) => run_id)).toEqual([next.run_id])
})
