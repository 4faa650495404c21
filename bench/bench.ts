// What every figure works with: how many rounds, databases of its own, and the evidence that is taken on the way.
import { type BenchDatabase, createDatabase } from './database.ts'
import { readStatements } from './statements.ts'
import { profileCpu } from './profile.ts'

export interface Bench {
  /** How many turns count. */
  readonly rounds: number
  /** A size, or a quarter of it for a quick look. */
  size(full: number): number
  /** A new migrated database for the time of `work`. */
  withDatabase<T>(work: (database: BenchDatabase) => Promise<T>): Promise<T>
  /** Runs work of ours with a CPU profile of this process, if one was asked for. */
  profiled<T>(work: () => Promise<T>): Promise<T>
}

export interface BenchOptions {
  readonly serverUrl: string
  readonly quick: boolean
  /** Name of the figure, for what is written about it. */
  readonly figure: string
  /** Where CPU profiles go. */
  readonly profileFolder: string | undefined
  /** Gets what the server says about the statements of each database. */
  readonly statements: ((text: string) => void) | undefined
}

export function benchOf(options: BenchOptions): Bench {
  const { quick, figure, profileFolder, statements } = options
  return {
    rounds: quick ? 3 : 5,
    size: (full) => (quick ? Math.ceil(full / 4) : full),
    withDatabase: async (work) => {
      const database = await createDatabase(options.serverUrl)
      try {
        const result = await work(database)
        if (statements !== undefined) statements(await readStatements(database.pool))
        return result
      } finally {
        await database.drop()
      }
    },
    profiled: (work) =>
      profileFolder === undefined ? work() : profileCpu(work, { folder: profileFolder, name: figure }),
  }
}
