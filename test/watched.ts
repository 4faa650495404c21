// Watched tables as tests make them: defined, applied, and told by hand.
import {
  applyWatch,
  defineWatch,
  deliverChanges,
  planWatches,
  workBackfills,
  type WatchSettings,
} from '../src/db/watches.ts'
import { clientCaller, poolCaller } from '../src/db/call.ts'
import { inTransaction } from '../src/db/transaction.ts'
import type { TestDatabase } from './database.ts'
import { chain, registerPipeline } from './protocol.ts'

export type Watched = Partial<WatchSettings> & {
  readonly table: string
  readonly tenant?: string
  readonly pipeline?: string
}

export interface ToldRun {
  readonly id: string
  readonly tenant: string | null
  readonly input: {
    readonly operation: string
    readonly key: Record<string, unknown> | null
    readonly old: Record<string, unknown> | null
    readonly new: Record<string, unknown> | null
    readonly changes: number
    readonly leftOut?: Record<string, string>
    readonly emptied?: string[]
  }
}

export const callerOf = (database: TestDatabase) =>
  poolCaller(database.pool, { prepare: true, database: 'a test database' })

/** Defines a watch on a table of schema public, on all operations on rows unless told, and installs it. */
export async function watchTable(
  database: TestDatabase,
  name: string,
  { table, pipeline = name, ...settings }: Watched,
): Promise<void> {
  if (pipeline === name) await registerPipeline(database, name, chain('only'))
  await defineWatch(callerOf(database), {
    name,
    settings: { operations: ['insert', 'update', 'delete'], ...settings, pipeline, schema: 'public', table },
  })
  await applyWatches(database, name)
}

export async function applyWatches(
  database: Pick<TestDatabase, 'pool'>,
  name: string | null = null,
): Promise<void> {
  const client = await database.pool.connect()
  try {
    for (const plan of await planWatches(clientCaller(client), name)) {
      if (plan.fault !== null) throw new Error(plan.fault)
      await inTransaction(client, () => applyWatch(clientCaller(client), plan))
    }
  } finally {
    await client.query('reset all')
    client.release()
  }
}

/** Tells all that is due, in batches of so many. */
export async function tellAll(database: TestDatabase, most = 500): Promise<void> {
  while ((await workBackfills(callerOf(database), most)).more);
  while ((await deliverChanges(callerOf(database), most)).more);
}

/** The runs of a pipeline in the order in which they were started. */
export function toldRuns(database: TestDatabase, slug: string): Promise<ToldRun[]> {
  return database.query<ToldRun & Record<string, unknown>>(
    `select r.id, r.tenant, r.input from millrace.run r left join millrace.task t on t.run_id = r.id
      where r.slug = $1 and r.started_via = 'change' order by t.id`,
    [slug],
  )
}

/** Tells all that is due, and gives the operations, keys and values of the runs that it starts. */
export async function toldOf(database: TestDatabase, slug: string): Promise<ToldRun['input'][]> {
  const before = new Set((await toldRuns(database, slug)).map(({ id }) => id))
  await tellAll(database)
  return (await toldRuns(database, slug)).filter(({ id }) => !before.has(id)).map(({ input }) => input)
}
