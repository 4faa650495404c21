// Owns the worker of one pipeline, as tests have it: it serves that pipeline alone, so that no test claims the tasks of another.
import { registerPipeline, registerWorker, type Sql, type StepSpec, type Worker } from './protocol.ts'

export interface WorkerOptions {
  /** A year unless told: it outlives whatever a test does with the clock. */
  leaseSeconds?: number
  slots?: number
}

/** Registers the pipeline, and a worker for it. */
export async function workerOf(
  sql: Sql,
  slug: string,
  steps: StepSpec[],
  options: WorkerOptions = {},
): Promise<Worker> {
  await registerPipeline(sql, slug, steps)
  return workerFor(sql, slug, options)
}

/** Registers pipelines of the same steps, and one worker for all of them. */
export async function workerOfAll(
  sql: Sql,
  slugs: string[],
  steps: StepSpec[],
  options: WorkerOptions = {},
): Promise<Worker> {
  for (const slug of slugs) await registerPipeline(sql, slug, steps)
  return serving(sql, slugs, options)
}

/** A worker for a pipeline that is registered. */
export async function workerFor(sql: Sql, slug: string, options: WorkerOptions = {}): Promise<Worker> {
  return serving(sql, [slug], options)
}

async function serving(sql: Sql, slugs: string[], options: WorkerOptions): Promise<Worker> {
  const rows = await sql.query<{ id: number }>(
    'select id from millrace.handler where slug = any ($1) order by id',
    [slugs],
  )
  return registerWorker(sql, {
    leaseSeconds: 31_536_000,
    ...options,
    handlers: rows.map(({ id }) => id),
  })
}
