// Owns the file of an export: read line by line, so that it may be larger than the memory.
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import { type ChainEnd, verifyLines } from '../../sdk/audit-trail.ts'
import type { Session } from '../session.ts'

/** The end of a file that adds up. @throws MillraceError audit_trail_broken, command_invalid */
export async function verifyFile(session: Session, file: string, from?: ChainEnd): Promise<ChainEnd> {
  const input = createReadStream(path.resolve(session.surroundings.folder, file), 'utf8')
  const failed = new Promise<never>((_, reject) => {
    input.once('error', ({ message }) =>
      reject(
        new MillraceError('command_invalid', `The file can't be read: ${message}.`, { fields: { file } }),
      ),
    )
  })
  try {
    return await Promise.race([verifyLines(linesOf(input), from), failed])
  } finally {
    input.destroy()
  }
}

/** At line feeds alone: node:readline ends a line at U+2028 as well, which an entry may hold. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let open = ''
  for await (const chunk of chunks) {
    const lines = (open + chunk).split('\n')
    open = lines.pop() ?? ''
    for (const line of lines) yield line.replace(/\r$/, '')
  }
  if (open !== '') yield open.replace(/\r$/, '')
}
