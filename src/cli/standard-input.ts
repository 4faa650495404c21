// Owns what a command reads from its standard input: secrets, which are no business of the command line since everybody on the machine may read it,
// and what is too long for it.
import { MillraceError } from '../core/errors.ts'
import type { Session, Surroundings } from './session.ts'

/** A secret: all of it, without the end of line that a shell adds; `example` is a command that takes it. @throws MillraceError command_invalid where there is nothing, or no UTF-8 */
export async function readSecretInput(
  { surroundings, terminal }: Session,
  what: string,
  example: string,
): Promise<string> {
  if (isTyped(surroundings))
    terminal.note(
      `Give ${what}, and end with Ctrl-D on a line of its own. It is shown as you type: a pipe hides it.`,
    )
  const value = (await readAll(surroundings, what)).replace(/\r?\n$/, '')
  if (value !== '') return value
  throw new MillraceError('command_invalid', `Nothing came from stdin, where ${what} is read from.`, {
    hint: `Pipe it in, as in: pass ${example}`,
  })
}

/** What '-' stands for on the command line: all that comes. @throws MillraceError command_invalid where it is no UTF-8 */
export async function readInput({ surroundings, terminal }: Session, what: string): Promise<string> {
  if (isTyped(surroundings)) terminal.note('Give it as JSON, and end with Ctrl-D on a line of its own.')
  return readAll(surroundings, what)
}

function isTyped({ stdin }: Surroundings): boolean {
  return stdin === undefined && process.stdin.isTTY
}

async function readAll({ stdin = process.stdin }: Surroundings, what: string): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stdin) parts.push(Buffer.from(part))
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch (cause) {
    throw new MillraceError(
      'command_invalid',
      `${what.charAt(0).toUpperCase()}${what.slice(1)} is not in UTF-8.`,
      { hint: 'Convert what comes from stdin, as with: iconv -f WINDOWS-1252 -t UTF-8', cause },
    )
  }
}
