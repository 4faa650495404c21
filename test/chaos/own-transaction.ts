// A transaction of the application's own, on a connection that may break at any moment.
import type pg from 'pg'

/** Commits, or rolls back where it is not to be kept. A connection on which anything failed is used no more. */
export async function inOwnTransaction<T>(
  pool: pg.Pool,
  isKept: boolean,
  work: (connection: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const connection = await pool.connect()
  const ignore = () => {}
  connection.on('error', ignore)
  let broken = true
  try {
    await connection.query('begin')
    const result = await work(connection)
    await connection.query(isKept ? 'commit' : 'rollback')
    broken = false
    return result
  } finally {
    connection.off('error', ignore)
    connection.release(broken)
  }
}
