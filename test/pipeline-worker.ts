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

/** A worker for a pipeline that is registered. */
export async function workerFor(sql: Sql, slug: string, options: WorkerOptions = {}): Promise<Worker> {
  const rows = await sql.query<{ id: number }>(
    'select id from millrace.handler where slug = $1 order by id',
    [slug],
  )
  return registerWorker(sql, {
    leaseSeconds: 31_536_000,
    ...options,
    handlers: rows.map(({ id }) => id),
  })
}
