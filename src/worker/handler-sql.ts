// The `sql` of steps without a transaction of their own: it reads, and writes only where the step says that it does.
import { MillraceError } from '../core/errors.ts'
import { eachInTransaction, taggedSql } from '../db/sql-tag.ts'
import type { WorkerConnections } from './connections.ts'
import type { HeldTask } from './held-task.ts'

export class HandlerSql {
  readonly #reading: ReturnType<typeof taggedSql>
  readonly #writing: (task: HeldTask) => ReturnType<typeof taggedSql>

  /** Behind a pooler nobody can say what a connection does by default: there a statement that reads has a transaction around it instead. */
  constructor({ handlers, writes, handlerPool, pooled, database }: WorkerConnections) {
    this.#reading = taggedSql(pooled ? eachInTransaction(handlerPool, 'read only', database) : handlers)
    // What a step writes to a watched table is known by its run; it goes with the statement that begins the transaction.
    this.#writing = pooled
      ? () => taggedSql(writes)
      : ({ run }) => taggedSql(eachInTransaction(handlerPool, 'read write', database, run.id))
  }

  async run(task: HeldTask, text: TemplateStringsArray, values: readonly unknown[]): Promise<unknown[]> {
    try {
      return await (task.step.handler.writes ? this.#writing(task) : this.#reading)(text, ...values)
    } catch (error) {
      const told = task.step.handler.writes ? error : undeclaredWrite(task, error)
      // The handler may take it for no rows; then the account says so.
      task.failedQuery = told instanceof Error ? told.message : String(told)
      throw told
    }
  }
}

/** What a read-only transaction refuses is a write, which the step should have declared. */
export function undeclaredWrite(task: HeldTask, error: unknown): unknown {
  if (!(error instanceof MillraceError) || error.code !== 'database_read_only') return error
  const { name } = task.step
  return new MillraceError(
    'write_undeclared',
    `Step '${name}' writes, and does not say so: nothing was written.`,
    {
      fields: { step: name },
      hint: 'Mark it `tx: true`, which writes exactly once; or `writes: true`, where its writes may be repeated.',
      cause: error,
    },
  )
}
