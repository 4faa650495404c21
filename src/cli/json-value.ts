// Owns JSON that a command is given: as somebody typed it, or from stdin where they typed '-'.
import { MillraceError } from '../core/errors.ts'
import { oneLine } from '../core/wording.ts'
import type { Session } from './session.ts'
import { readInput } from './standard-input.ts'

/**
 * Undefined where nothing was given. `what` is how the command line calls it: 'The payload', '--filter'.
 *
 * @throws MillraceError command_invalid
 */
export async function jsonValue(session: Session, what: string, given: string | undefined): Promise<unknown> {
  if (given === undefined) return undefined
  return jsonFrom(what, given === '-' ? await readInput(session, what) : given)
}

function jsonFrom(what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? oneLine(error.message) : 'it cannot be read'
    const problem = text.trim() === '' ? `${what} is empty.` : `${what} is not JSON: ${reason}.`
    throw new MillraceError('command_invalid', problem, {
      hint: `Quote it for your shell, as in '{"name": "Ada"}'; - reads it from stdin.`,
    })
  }
}
