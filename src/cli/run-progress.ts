// Owns the progress bar of a run that is waited for: on a terminal only, on stderr, and gone when the run has ended.
import { Presets, SingleBar } from 'cli-progress'
import type { Caller } from '../db/call.ts'
import { readProgress } from '../db/run-list.ts'
import type { Terminal } from './terminal.ts'

const lookEveryMs = 250

/** Shows how far a run is until the function that it answers with is called. */
export function showProgress(terminal: Terminal, caller: Caller, runId: string): () => Promise<void> {
  if (!terminal.hasProgress) return async () => {}
  const bar = new SingleBar(
    {
      format: '{bar} {value} of {total} done',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  )
  bar.start(1, 0)
  let look = Promise.resolve()
  const timer = setInterval(() => {
    look = look.then(() => update(bar, caller, runId))
  }, lookEveryMs)
  return async () => {
    clearInterval(timer)
    await look
    bar.stop()
  }
}

/** A look that fails shows nothing new; the wait itself reports what is wrong. */
async function update(bar: SingleBar, caller: Caller, runId: string): Promise<void> {
  const progress = await readProgress(caller, runId).catch(() => undefined)
  if (progress === undefined) return
  bar.setTotal(progress.known)
  bar.update(progress.done)
}
