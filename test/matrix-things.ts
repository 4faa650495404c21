// What belongs to tenant B in the matrix of the API: one of each kind that a path can name, and each says whose it is.
import { expect } from 'vitest'
import type { SubjectKind } from '../src/api/access.ts'
import { pipeline } from '../src/sdk/pipeline.ts'
import type { TestDatabase } from './database.ts'
import { until } from './deadline.ts'
import type { Opened } from './millrace.ts'
import { chain, registerPipeline } from './protocol.ts'

/** Stands in whatever of tenant B has a text. */
export const canary = 'canary-of-tenant-b'

type OwnedKind = Exclude<SubjectKind, 'nothing' | 'list' | 'installation'>

/** By the kind, of pipeline matrix-own; and what else its handler looks up. */
export type Things = Record<OwnedKind | 'agent_request', string>

/** All but what is asked for over HTTP. */
export async function seedThings(
  database: TestDatabase,
  opened: Opened,
): Promise<Omit<Things, 'redrive' | 'agent_request'>> {
  const own = { pipeline: 'matrix-own', tenant: 'tenant-b' }
  const runs = await seedRuns(database, opened)
  const client = opened.client()
  await client.callbacks.add(runs.run, { url: `https://${canary}.example.com/`, secret: canary })
  const [callback] = await client.callbacks.list()
  await client.schedules.define('matrix-schedule', { ...own, every: '1h', input: { canary } })
  await client.schedules.trigger('matrix-schedule')
  await client.subscriptions.define('matrix-subscription', canary, own)
  await client.emit(canary, { canary }, { tenant: own.tenant })
  await database.query('create table public.matrix_row (id int primary key, tenant text)')
  await client.watches.define('matrix-watch', 'matrix_row', { ...own, tenantColumn: 'tenant' })
  return {
    ...runs,
    callback: callback!.id,
    pipeline: own.pipeline,
    schedule: 'matrix-schedule',
    subscription: 'matrix-subscription',
    watch: 'matrix-watch',
  }
}

/** A run that failed, with a value in the cache, and one that waits for a person. */
async function seedRuns(database: TestDatabase, opened: Opened): Promise<Pick<Things, 'run' | 'approval'>> {
  await registerPipeline(database, 'matrix-other', chain('only'))
  const failing = pipeline('matrix-own').step('only', { retry: { attempts: 1 } }, async ({ cache }) => {
    await cache(canary, { ttl: '1h', scope: canary }, () => canary)
    throw new Error(canary)
  })
  const asking = pipeline('matrix-asked').approval('release', { people: ['ann@example.org'] })
  await opened.worker({ pipelines: [failing, asking], slots: 2 })
  const client = opened.client()
  const tenant = 'tenant-b'
  const { run } = await client.start('matrix-own', { canary }, { tenant, headers: { canary } })
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  await client.start('matrix-asked', { canary }, { tenant })
  await until('the approval is open', async () => (await client.approvals.list()).length === 1)
  const [approval] = await client.approvals.list()
  await opened.close()
  return { run: run!.id, approval: approval!.id }
}
