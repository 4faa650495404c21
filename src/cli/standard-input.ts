// Owns what a command reads from its standard input: secrets, which are no business of the command line since everybody on the machine may read it,
// and what is too long for it.
import { MillraceError } from '../core/errors.ts'
import type { Session, Surroundings } from './session.ts'

/** A secret: all of it, without the end of line that a shell adds; `example` is a command that takes it. @throws MillraceError command_invalid where there is nothing */
export async function readSecretInput(
  { surroundings, terminal }: Session,
  what: string,
  example: string,
): Promise<string> {
  if (isTyped(surroundings))
    terminal.note(
      `Give ${what}, and end with Ctrl-D on a line of its own. It is shown as you type: a pipe hides it.`,
    )
  const value = (await readAll(surroundings)).replace(/\r?\n$/, '')
  if (value !== '') return value
  throw new MillraceError('command_invalid', `Nothing came from stdin, where ${what} is read from.`, {
    hint: `Pipe it in, as in: pass ${example}`,
  })
}

/** What '-' stands for on the command line: all that comes. */
export async function readInput({ surroundings, terminal }: Session): Promise<string> {
  if (isTyped(surroundings)) terminal.note('Give it as JSON, and end with Ctrl-D on a line of its own.')
  return readAll(surroundings)
}

function isTyped({ stdin }: Surroundings): boolean {
  return stdin === undefined && process.stdin.isTTY
}

async function readAll({ stdin = process.stdin }: Surroundings): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stdin) parts.push(Buffer.from(part))
  return Buffer.concat(parts).toString('utf8')
}
