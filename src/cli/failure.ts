// Owns how a command fails: one sentence with the next action on stderr, and the exit status that the catalogue gives.
import { catalogue } from '../core/error-catalogue.ts'
import type { CatalogueEntry } from '../core/error-catalogue/entry.ts'
import type { ErrorCode } from '../core/errors.ts'
import { printableJson } from '../core/printable.ts'
import { oneLine } from '../core/wording.ts'
import type { Terminal } from './terminal.ts'

/** What each status means; shown by `millrace --help` and in docs/cli.md. */
export const exitStatuses = [
  [0, 'done'],
  [1, 'failed: the message says why'],
  [2, 'the command line or the configuration is wrong'],
  [3, 'the database or the server cannot be reached, or the schema does not fit'],
  [4, 'it was refused, or the run failed or was cancelled while waited for'],
  [
    5,
    'plan: live runs keep a version that this code does not serve; or the\n     audit trail does not add up',
  ],
] as const

interface Told {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly exitStatus: number
}

/** Prints an error and answers with the exit status. */
export function tellFailure(error: unknown, terminal: Terminal, debug: boolean): number {
  const told = describe(error, debug)
  if (terminal.json)
    terminal.note(printableJson({ error: { code: told.code, message: told.message, hint: told.hint } }))
  else
    terminal.note(
      `${terminal.colours.red('Error:')} ${`${asSentence(told.message)} ${told.hint ?? ''}`.trim()}`,
    )
  if (debug && error instanceof Error)
    for (const line of withoutPasswords(error.stack ?? '').split('\n')) terminal.note(line)
  return told.exitStatus
}

function describe(error: unknown, debug: boolean): Told {
  const known = knownError(error)
  if (known !== undefined) return known
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'unexpected',
    message: withoutPasswords(oneLine(message === '' ? 'The command failed without a message.' : message)),
    hint: debug ? undefined : 'This was not expected: --debug shows where it comes from.',
    exitStatus: 1,
  }
}

/** The next action where it is another one on the command line than for a program that calls the API. */
const hintsHere: Readonly<Record<string, string>> = {
  not_signed_in:
    'Give a key that is neither expired nor revoked as MILLRACE_KEY, or keep one: npx millrace login URL',
}

// By its code, not its class: the configuration may have loaded another copy of this package.
function knownError(error: unknown): Told | undefined {
  if (!(error instanceof Error) || !('code' in error) || error.name !== 'MillraceError') return undefined
  const code = String(error.code)
  const entry: CatalogueEntry | undefined = catalogue[code as ErrorCode]
  if (entry === undefined) return undefined
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
  return {
    code,
    message: withoutPasswords(error.message),
    hint: hintsHere[code] ?? hint ?? entry.remedy,
    exitStatus: entry.exitCode ?? 1,
  }
}

/** The reason that a step or a driver gave may lack its full stop; a hint may end with a command, which takes none. */
function asSentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`
}

/** An address keeps its user and loses its password, wherever it stands: also one with an @ in it, which the driver takes, and one behind the question mark. */
export function withoutPasswords(text: string): string {
  return text
    .replaceAll(/(postgres(?:ql)?:\/\/[^\s:/@]*):[^\s@]*@(?:[^\s/?#@]*@)*/g, '$1:…@')
    .replaceAll(/([?&](?:ssl)?password=)[^\s&#]*/g, '$1…')
}
