// Writes to a table that is watched, and keeps in the same transaction a journal of each change: what the runs of the changes must tell.
import type pg from 'pg'
import { inOwnTransaction } from './own-transaction.ts'

const things = 20
const statements = {
  insert: 'insert into public.thing values ($1, $2)',
  update: 'update public.thing set version = $2 where id = $1',
  delete: 'delete from public.thing where id = $1',
} as const

export class ThingWriter {
  readonly #pool: pg.Pool
  readonly #random: () => number

  constructor(pool: pg.Pool, random: () => number) {
    this.#pool = pool
    this.#random = random
  }

  /** So many changes in one transaction, which now and then is rolled back. */
  async write(changes: number): Promise<void> {
    await inOwnTransaction(this.#pool, this.#random() >= 0.1, async (connection) => {
      for (let change = 0; change < changes; change++)
        await this.#change(connection, Math.floor(this.#random() * things), this.#random() < 0.2)
    })
  }

  async #change(connection: pg.PoolClient, id: number, isGoing: boolean): Promise<void> {
    // Whoever writes to one thing waits for whoever does so at present.
    await connection.query('select pg_advisory_xact_lock(77, $1)', [id])
    const { rows } = await connection.query<{ next: number; there: boolean }>(
      `select coalesce(max(j.version), 0) + 1 as next, exists (select from public.thing where id = $1) as there
         from public.journal j where j.id = $1`,
      [id],
    )
    const { next, there } = rows[0]!
    const operation = !there ? 'insert' : isGoing ? 'delete' : 'update'
    await connection.query(statements[operation], operation === 'delete' ? [id] : [id, next])
    await connection.query('insert into public.journal values ($1, $2, $3)', [id, next, operation])
  }
}
