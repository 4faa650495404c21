// Owns what a command reads from its standard input: values that are no business of the command line, which everybody on the machine may read.
import { MillraceError } from '../core/errors.ts'
import type { Session } from './session.ts'

/** All of it, without the end of line that a shell adds; `example` is a command that takes it. @throws MillraceError command_invalid where there is nothing */
export async function readSecretInput(
  { surroundings, terminal }: Session,
  what: string,
  example: string,
): Promise<string> {
  const stdin = surroundings.stdin ?? process.stdin
  if (stdin === process.stdin && process.stdin.isTTY)
    terminal.note(
      `Give ${what}, and end with Ctrl-D on a line of its own. It is shown as you type: a pipe hides it.`,
    )
  const parts: Buffer[] = []
  for await (const part of stdin) parts.push(Buffer.from(part))
  const value = Buffer.concat(parts)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (value !== '') return value
  throw new MillraceError('command_invalid', `Nothing came from stdin, where ${what} is read from.`, {
    hint: `Pipe it in, as in: pass ${example}`,
  })
}
