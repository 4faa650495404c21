// Errors of what starts runs by itself.
import type { CatalogueEntry } from './entry.ts'

export const triggerErrors = {
  watch_invalid: {
    cause:
      'A watch on a table says something that cannot be: a table, a column, a condition, a tenant or a time.',
    remedy: 'Correct what the message names; docs/changes.md says what a watch takes.',
    sqlstate: 'MR140',
    exitCode: 2,
    permanent: true,
  },
  watch_unknown: {
    cause: 'There is no watch, or no backfill, of this name.',
    remedy: 'List them with: npx millrace watch list',
    sqlstate: 'MR141',
    exitCode: 4,
  },
  watch_not_allowed: {
    cause: 'The login may not install row triggers on the table, or functions in schema millrace.',
    remedy:
      'Apply the watch as the owner of schema millrace, who needs the right TRIGGER on the table, and SELECT for a backfill.',
    exitCode: 2,
    permanent: true,
  },
} as const satisfies Record<string, CatalogueEntry>
