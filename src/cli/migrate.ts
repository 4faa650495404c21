// millrace migrate: brings the schema of a database to what this package needs, or says what that would take.
import path from 'node:path'
import { Command, Option } from 'commander'
import { count } from '../core/wording.ts'
import { type MigrateResult, migrate } from '../db/migrate.ts'
import { writeMigrationFile } from './migration-files.ts'
import { text } from './option-values.ts'
import type { CurrentSession, Session } from './session.ts'

export function migrateCommand(current: CurrentSession): Command {
  return new Command('migrate')
    .description('bring the schema of the database to what this package needs')
    .addOption(new Option('--plan', 'only say what would be done').conflicts('files'))
    .option(
      '--files <folder>',
      'write it as a file for the tool that applies your migrations, such as supabase/migrations',
      text('--files'),
    )
    .action(async ({ plan = false, files }: { plan?: boolean; files?: string }) => {
      const session = current()
      if (files !== undefined) return write(session, files)
      const { url, release } = await session.chooseOwnDatabase()
      try {
        const result = await migrate({
          connectionString: url,
          plan,
          log: (text) => session.terminal.printLines(text),
        })
        session.terminal.answer(result)
        if (!plan) session.terminal.print(summary(result))
      } finally {
        await release()
      }
    })
}

async function write({ terminal, surroundings }: Session, files: string): Promise<void> {
  const folder = path.resolve(surroundings.folder, files)
  const written = await writeMigrationFile(folder, { now: new Date() })
  terminal.answer(written)
  const { file, version } = written
  terminal.print(
    file === null
      ? `Nothing to write: the files in ${files} bring migration ${version} and today's functions.`
      : `Wrote ${path.join(files, path.basename(file))}, which brings migration ${version}. Apply it with your tool: supabase db push.`,
  )
}

function summary({ applied, functions, version, droppedIndexes }: MigrateResult): string {
  if (applied.length + functions === 0) {
    const lead = droppedIndexes.length === 0 ? 'Nothing to do' : 'Nothing else to do'
    return `${lead}: the schema is at migration ${version}.`
  }
  const migrations = count(applied.length, 'migration', 'migrations')
  return `Applied ${migrations} and ${count(functions, 'function', 'functions')}; the schema is at migration ${version}.`
}
