// What row security costs a tenant's list: its page of 50 among a million runs of a hundred tenants, against the same query with an explicit filter.
import pg from 'pg'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { fillHistory } from '../history.ts'
import { withLocalWorker } from '../local-worker.ts'
import { inSequence, median, millisecondsOf, takeTurns } from '../measure.ts'
import { oneStep } from '../pipelines.ts'

const runs = 1_000_000
const tenants = 100

export const tenantList: Figure = {
  name: 'tenant-list',
  measure: (bench) => bench.withDatabase((database) => measureList(bench, database)),
}

const columns = 'id, slug, version, state, created_at, started_at, finished_at'

async function measureList(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  // A worker registers the pipeline and makes the partitions.
  await withLocalWorker({ database: url, pipelines: [oneStep()] }, async () => {})
  await fillHistory(pool, 'one-step', runs, tenants)
  const filtered = await connectAs(url, pool, 'millrace_viewer')
  const secured = await connectAs(url, pool, 'millrace_tenant')
  await pool.query('select millrace.assign_tenant($1, $2)', [secured.login, 'tenant 7'])
  const token = await connectAs(url, pool, 'millrace_tenant, millrace_gateway')
  await token.client.query(
    `select set_config('request.jwt.claims', '{"tenant":"tenant 7","sub":"ann"}', false)`,
  )
  const list =
    ({ client: asking }: Login, text: string, values: unknown[]) =>
    async () => {
      const times = await inSequence(bench.size(2_000), () =>
        millisecondsOf(async () => {
          const { rows } = await asking.query({ name: 'list', text, values })
          if (rows.length !== 50) throw new Error(`The list has ${rows.length} runs.`)
        }),
      )
      return median(times)
    }
  const explicit = list(
    filtered,
    `select ${columns} from millrace.run where tenant = $1 order by id desc limit 50`,
    ['tenant 7'],
  )
  const own = `select ${columns.replace('slug', 'pipeline')} from millrace.own_run order by id desc limit 50`
  const byRole = await takeTurns(bench.rounds, explicit, list(secured, own, []))
  const byToken = await takeTurns(bench.rounds, explicit, list(token, own, []))
  for (const { client: asked, login } of [filtered, secured, token]) {
    await asked.end()
    await pool.query(`drop owned by "${login}"; drop role "${login}"`)
  }
  const row = (label: string, measured: typeof byRole): Row => ({
    label,
    ...measured,
    unit: 'ms',
    goal: { atMost: 1.5 },
    note: 'a page of 50 of 10,000 among 1,000,000 runs, p50; against an explicit filter without row security',
  })
  return [row("list of a tenant's runs, by role", byRole), row("list of a tenant's runs, by token", byToken)]
}

interface Login {
  readonly login: string
  readonly client: pg.Client
}

async function connectAs(url: string, pool: pg.Pool, memberOf: string): Promise<Login> {
  const login = `bench_${memberOf.replaceAll(/\W+/g, '_')}_${process.pid}`
  await pool.query(`create role "${login}" login password 'bench' in role ${memberOf}`)
  const address = new URL(url)
  address.username = login
  address.password = 'bench'
  const client = new pg.Client(address.href)
  await client.connect()
  return { login, client }
}
