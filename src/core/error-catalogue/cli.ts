// Errors of commands.
import type { CatalogueEntry } from './entry.ts'

export const commandErrors = {
  command_local: {
    cause: 'A command that works on the database itself was given the address of a server.',
    remedy: 'Name the database with --database, on a machine that reaches it.',
    exitCode: 2,
  },
  login_invalid: {
    cause: 'The keys that millrace login keeps cannot be read, or not safely, or a key was refused.',
    remedy: 'Do what the message says, or give the key as MILLRACE_KEY.',
    exitCode: 2,
  },
  command_invalid: {
    cause: 'A command line holds an argument or an option that the command does not take.',
    remedy: 'Read what it takes with --help after the command.',
    exitCode: 2,
  },
  output_failed: {
    cause: 'What a command prints could not be written, as to a disk that is full.',
    remedy: 'Make room where its output goes, or send it elsewhere.',
  },
  config_missing: {
    cause: 'No millrace.config.ts was found in this folder or above it.',
    remedy: 'Write a first one with npx millrace init, or name one with --config.',
    exitCode: 2,
  },
  config_not_loadable: {
    cause: 'millrace.config.ts, or a file that it imports, cannot be loaded.',
    remedy: 'Correct what the message names; --debug shows where it was thrown.',
    exitCode: 2,
  },
} as const satisfies Record<string, CatalogueEntry>
