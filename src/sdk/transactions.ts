// The transactions of other libraries, as a start takes them: a client of node-postgres is one by itself, these make one of the others.
import type { Transaction } from '../db/call.ts'

/** The `sql` that postgres.js gives inside `sql.begin`. */
export interface PostgresJsTransaction {
  unsafe(text: string, values: string[]): PromiseLike<readonly unknown[]>
}

/** For postgres.js: `sql.begin((sql) => millrace.start(sweep, input, { tx: postgresJsTransaction(sql) }))`. */
export function postgresJsTransaction(sql: PostgresJsTransaction): Transaction {
  return {
    // Its types leave out null, which it takes.
    query: async (text, values) => ({ rows: [...(await sql.unsafe(text, values as string[]))] }),
  }
}

/** Makes a query of a text with its values between: what `sql` of Drizzle and of Kysely does. */
export type SqlTag<Query> = (text: TemplateStringsArray, ...values: unknown[]) => Query

/**
 * For Drizzle: `db.transaction((tx) => millrace.start(sweep, input, { tx: drizzleTransaction(tx, sql) }))`, with `sql` imported
 * from drizzle-orm. Works over node-postgres and postgres.js alike.
 */
export function drizzleTransaction<Query>(
  tx: { execute(query: Query): PromiseLike<unknown> },
  sql: SqlTag<Query>,
): Transaction {
  return {
    query: async (text, values) => {
      const answer = await tx.execute(sql(templateOf(text), ...values))
      return {
        rows: Array.isArray(answer) ? [...(answer as unknown[])] : (answer as { rows: unknown[] }).rows,
      }
    },
  }
}

/**
 * For Kysely: `db.transaction().execute((trx) => millrace.start(sweep, input, { tx: kyselyTransaction(trx, sql) }))`, with
 * `sql` imported from kysely.
 */
export function kyselyTransaction<Trx>(
  trx: Trx,
  sql: SqlTag<{ execute(on: Trx): Promise<{ rows: unknown[] }> }>,
): Transaction {
  return { query: (text, values) => sql(templateOf(text), ...values).execute(trx) }
}

/** The client that Prisma gives inside an interactive `$transaction`. */
export interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>
}

/** For Prisma: `prisma.$transaction((tx) => millrace.start(sweep, input, { tx: prismaTransaction(tx) }))`. */
export function prismaTransaction(tx: PrismaTransaction): Transaction {
  return {
    query: async (text, values) => ({ rows: (await tx.$queryRawUnsafe(text, ...values)) as unknown[] }),
  }
}

/** The text without its parameters, which stand in it in their order, once each. */
function templateOf(text: string): TemplateStringsArray {
  const parts = text.split(/\$\d+/)
  return Object.assign(parts, { raw: parts })
}
