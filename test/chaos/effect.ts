// Owns the row that a step of the load writes to the user's table in its own transaction.
import type { HandlerContext } from '../../src/sdk/context.ts'

/** With the number of the attempt that holds it. */
export async function writeEffect({
  sql,
  run,
  step,
  attempt,
}: Pick<HandlerContext, 'sql' | 'run' | 'step' | 'attempt'>): Promise<null> {
  await sql`insert into public.effect (run_id, step, item, attempt, worker_pid) values (${run.id}, ${step}, -1, ${attempt}, ${process.pid})`
  return null
}
