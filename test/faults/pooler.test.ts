// Behind PgBouncer in transaction mode: no LISTEN, no session locks, no named statements, and everything works.
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import { openFolder, programFile, sdkAddress } from '../commands.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { startCompiled } from '../program.ts'
import { allEnded, expectLoadDone, expectSound, isLong, recordFigure, startLoad } from './effects.ts'
import { effectTable, holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { isPoolerThere, pooledSessions, Pooler } from './pooler.ts'
import { WorkerPrograms } from './worker-program.ts'

if (!isPoolerThere)
  process.stdout.write(
    'Left out: the tests behind a transaction pooler, because PgBouncer is not installed.\n',
  )

const { hold } = holdPipelines(() => {})

let database: TestDatabase
let pooler: Pooler
let client: Client
const programs = new WorkerPrograms()

beforeAll(async () => {
  if (!isPoolerThere) return
  database = await createTestDatabase()
  await database.query(effectTable)
  pooler = await Pooler.start(database.url)
  client = connect({ database: pooler.url })
})
afterEach(() => programs.killAll())
afterAll(async () => {
  if (!isPoolerThere) return
  await client.close()
  await pooler.close()
  await database.close()
})

const options = () => ({ database: pooler.url, leaseSeconds: 3, heartbeatMs: 300, slots: 8 })

test.skipIf(!isPoolerThere)(
  'C1 worker and client work behind a transaction pooler, and leave nothing behind in its sessions',
  async () => {
    const workers = await Promise.all([programs.start(options()), programs.start(options())])
    const runs = await startLoad(client, 90, 3)
    const result = await client.run(runs[0]!).result({ timeoutMs: 20_000 })
    expect(result).toBe(3)
    await allEnded(database, runs, 30_000)
    await expectLoadDone(database, runs)
    const found = await database.query<{ locked: boolean; pooled: boolean }>(
      'select locked from millrace.worker where id = any ($1)',
      [workers.map(({ worker }) => worker)],
    )
    expect(found).toEqual([{ locked: false }, { locked: false }])
    const locks = await database.query(
      "select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
    )
    expect(locks).toEqual([])
    expect(await leftInSessions()).toEqual([])
    const writes = await database.query(
      "select distinct writes from millrace.attempt where run_id = any ($1) and step = 'write'",
      [runs],
    )
    expect(writes).toEqual([{ writes: { 'public.effect': { inserted: 1, updated: 0, deleted: 0 } } }])
  },
  60_000,
)

test.skipIf(!isPoolerThere)(
  'C1 a killed worker behind a pooler is recovered by its lease',
  async () => {
    const victim = await programs.start(options())
    const run = (await client.start(hold, { ms: 5_000, deaf: false })).run!
    await victim.said('began', { run: run.id })
    const heir = await programs.start(options())
    await lookedAround(heir.worker, [victim.worker, heir.worker])
    const began = performance.now()
    await victim.kill()
    await heir.said('began', { run: run.id, attempt: 2 })
    recordFigure(
      'C1',
      `recovered ${((performance.now() - began) / 1_000).toFixed(1)} s after the kill, with a lease of 3 s`,
    )
    await allEnded(database, [run.id])
    const reasons = await database.query('select gone_reason from millrace.worker where id = $1', [
      victim.worker,
    ])
    expect(reasons).toEqual([{ gone_reason: 'its lease ran out' }])
    await expectSound(database, [run.id])
  },
  60_000,
)

test.skipIf(!isPoolerThere)(
  'C1 millrace start with a worker beside serves behind a transaction pooler, and leaves nothing behind in its sessions',
  async () => {
    const project = openFolder({ DATABASE_URL: database.url })
    const config = project.write(
      'millrace.config.ts',
      `import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
export default defineConfig({ pipelines: [pipeline('pooled-server').step('say', ({ input }) => input)] })`,
    )
    const created = await project.call(
      'key',
      'create',
      'pooled',
      '--role',
      'operator',
      '--payloads',
      '--json',
    )
    const { key } = JSON.parse(created.stdout) as { key: string }
    const program = startCompiled(
      programFile,
      ['start', '--workers', '--port', '0', '--json', '--config', config],
      { DATABASE_URL: pooler.url },
    )
    try {
      const address = await until('it serves', () => /"address":"([^"]+)"/.exec(program.output())?.[1])
      const ask = (path: string, body?: object) =>
        fetch(`${address}${path}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
      await until('it is ready', async () => (await fetch(`${address}/health/ready`)).ok)
      await until(
        'the worker has registered what it runs',
        async () => (await ask('/pipelines/pooled-server')).status === 200,
      )
      const starts = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const answer = await ask('/runs', { pipeline: 'pooled-server', input: n })
          return (await answer.json()) as { run: { id: string } }
        }),
      )
      const ids = starts.map(({ run }) => run.id)
      await allEnded(database, ids, 30_000)
      const shown = (await (await ask(`/runs/${ids[7]}`)).json()) as { state: string; output: unknown }
      expect(shown).toMatchObject({ state: 'completed', input: 7 })
      expect(await leftInSessions()).toEqual([])
      program.child.kill('SIGTERM')
      expect(await program.ended).toBe(0)
    } finally {
      await program.kill()
      project.close()
    }
  },
  90_000,
)

test.skipIf(!isPoolerThere)(
  'E6 a cancel reaches a worker that only polls within a heartbeat',
  async () => {
    const worker = await programs.start(options())
    const run = (await client.start(hold, { ms: 60_000, deaf: false })).run!
    await worker.said('began', { run: run.id })
    const began = performance.now()
    await client.run(run).cancel()
    await worker.said('aborted', { run: run.id })
    recordFigure(
      'E6',
      `a step behind a pooler aborted ${(performance.now() - began).toFixed(0)} ms after the cancel, with a heartbeat of 300 ms`,
    )
    expect(performance.now() - began).toBeLessThan(3_000)
    await until(
      'nothing held',
      async () =>
        (await database.query('select from millrace.task where run_id = $1', [run.id])).length === 0,
    )
    await expectSound(database, [run.id])
  },
  60_000,
)

test.skipIf(!isPoolerThere)(
  'C2 of 10,000 probes (100,000 in the long run) through shared sessions, some of whose clients leave the tenant set behind, none sees a run of a tenant that it did not name',
  async () => {
    const known = pipeline('pooled-tenants').step('wait', () => 1)
    for (const tenant of ['a', 'b', 'c']) await client.start(known, null, { tenant })
    await client.start(known, null)
    const seenBy = new Map(
      (
        await database.query<{ id: string; tenant: string | null }>(
          `select id, tenant from millrace.run where slug = 'pooled-tenants'`,
        )
      ).map(({ id, tenant }) => [id, tenant]),
    )
    const [clients, messages, probesAMessage] = [20, isLong ? 200 : 20, 25]
    const named = (n: number) => (n % 4 === 3 ? undefined : 'abc'[n % 4])
    const probe = (tenant: string | undefined) =>
      `begin; ${tenant === undefined ? '' : `select millrace.act_for_tenant('${tenant}');`} set local role millrace_tenant;
       select array_agg(id) as ids from millrace.own_run; commit;`
    // Set for the session, with the stamp of its transaction: what a careless client would leave to whoever comes next.
    const leftBehind = `begin; select millrace.act_for_tenant('a');
      select set_config(name, current_setting(name), false) from unnest(array['millrace.tenant', 'millrace.tenant_at']) name;
      set millrace.tenant = 'a'; commit;`
    const seen = new Map<string, number>()
    await Promise.all(
      Array.from({ length: clients }, async (_, number) => {
        const prober = new pg.Client(pooler.url)
        await prober.connect()
        for (let message = 0; message < messages; message++) {
          const tenants = Array.from({ length: probesAMessage }, (_each, n) => named(n + message + number))
          const answers = (await prober.query(
            `${tenants.map(probe).join('')}${message % 5 === 0 ? leftBehind : ''}`,
          )) as unknown as ReadonlyArray<{ rows: ReadonlyArray<{ ids?: string[] | null }> }>
          const found = answers.flatMap(({ rows }) =>
            rows.flatMap(({ ids }) => (ids === undefined ? [] : [ids])),
          )
          for (const [index, ids] of found.entries()) {
            const told = (ids ?? []).map((id) => seenBy.get(id)).join()
            const key = `${tenants[index] ?? 'nobody'} saw ${told || 'nothing'}`
            seen.set(key, (seen.get(key) ?? 0) + 1)
          }
        }
        await prober.end()
      }),
    )
    expect([...seen.keys()].sort()).toEqual(['a saw a', 'b saw b', 'c saw c', 'nobody saw nothing'])
    expect([...seen.values()].reduce((sum, n) => sum + n, 0)).toBe(clients * messages * probesAMessage)
  },
  120_000,
)

/**
 * Who has just started looks whether neighbours of its machine are dead, and goes on for as long as there are some: those of the test
 * before are to be gone, and a look that was put off by a quarter of a second is to be over. After that, only a lease tells of a death.
 */
async function lookedAround(worker: string, alive: readonly string[]): Promise<void> {
  await until('the workers of the test before are gone', async () => {
    const left = await database.query(
      "select from millrace.worker where state <> 'gone' and id <> all ($1)",
      [alive],
    )
    return left.length === 0
  })
  for (let beat = 0; beat < 2; beat++) {
    const before = await heartbeatOf(worker)
    await until('a heartbeat', async () => (await heartbeatOf(worker)) > before)
  }
}

async function heartbeatOf(worker: string): Promise<Date> {
  const [row] = await database.query<{ heartbeat_at: Date }>(
    'select heartbeat_at from millrace.worker where id = $1',
    [worker],
  )
  return row!.heartbeat_at
}

/** What a pooled session would hand on to the next client, in each of them: listened channels, named statements, settings of a session. */
async function leftInSessions(): Promise<unknown[]> {
  // Each has a session of the pool to itself while its transaction lasts; otherwise all would be given the one that was used last.
  const strangers = Array.from({ length: pooledSessions }, () => new pg.Client(pooler.url))
  try {
    const backends = new Set<number>()
    const left: unknown[] = []
    for (const stranger of strangers) {
      await stranger.connect()
      await stranger.query('begin')
      const { rows: own } = await stranger.query<{ pid: number }>('select pg_backend_pid() as pid')
      backends.add(own[0]!.pid)
      const { rows } = await stranger.query(
        `select 'listens to ' || c as thing from pg_listening_channels() c
         union all select 'prepared ' || name from pg_prepared_statements where name <> ''
         union all select name || ' = ' || setting from pg_settings
          where source = 'session' and name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'search_path')`,
      )
      left.push(...rows)
    }
    expect(backends.size).toBe(pooledSessions)
    return left
  } finally {
    for (const stranger of strangers) await stranger.end()
  }
}
