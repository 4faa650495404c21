// millrace migrate: brings the schema of a database to what this package needs, or says what that would take.
import { Command } from 'commander'
import { count } from '../core/wording.ts'
import { type MigrateResult, migrate } from '../db/migrate.ts'
import type { CurrentSession } from './session.ts'

export function migrateCommand(current: CurrentSession): Command {
  return new Command('migrate')
    .description('bring the schema of the database to what this package needs')
    .option('--plan', 'only say what would be done')
    .action(async ({ plan = false }: { plan?: boolean }) => {
      const session = current()
      const { url, release } = await session.chooseDatabase()
      try {
        const result = await migrate({
          connectionString: url,
          plan,
          log: (line) => session.terminal.print(line),
        })
        session.terminal.answer(result)
        if (!plan) session.terminal.print(summary(result))
      } finally {
        await release()
      }
    })
}

function summary({ applied, functions, version, droppedIndexes }: MigrateResult): string {
  if (applied.length + functions === 0) {
    const lead = droppedIndexes.length === 0 ? 'Nothing to do' : 'Nothing else to do'
    return `${lead}: the schema is at migration ${version}.`
  }
  const migrations = count(applied.length, 'migration', 'migrations')
  return `Applied ${migrations} and ${count(functions, 'function', 'functions')}; the schema is at migration ${version}.`
}
