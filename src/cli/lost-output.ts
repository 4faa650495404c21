// Owns what becomes of a process whose output nobody takes any more: what serves ends as when it is told to stop, any other command at once. Where the
// output can't be written for another reason, a command fails, and what serves says so and goes on.
import { MillraceError } from '../core/errors.ts'

const acts = new Set<() => void>()

/** Calls where the output is lost, until the answered function is called; for as long the process is not ended for it. */
export function onLostOutput(act: () => void): () => void {
  acts.add(act)
  return () => void acts.delete(act)
}

/** Watches over the outputs of a process; `tell` says why its result can't be written, and answers with the exit status. */
export function watchOutput(
  process: Pick<NodeJS.Process, 'stdout' | 'stderr' | 'exit'>,
  tell: (error: MillraceError) => number,
): void {
  let isLost = false
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    // Each further line fails as well.
    if (isLost) return
    isLost = true
    // A reader that has seen enough (| head) closes the pipe; that is no error.
    const status = cause.code === 'EPIPE' ? 0 : tell(outputFailed(cause))
    if (acts.size === 0) process.exit(status)
    // A log that can't be written now, since its disk is full, is no reason to serve nobody any more.
    if (status > 0) return
    for (const act of acts) act()
  })
  // What can't be said there can't be said, and without a listener the error would end this process.
  process.stderr.on('error', () => {})
}

function outputFailed(cause: Error): MillraceError {
  return new MillraceError('output_failed', `The output can't be written: ${cause.message}.`, { cause })
}
