// Owns how a command shows how far a run is: on a terminal only and on stderr, as a bar while it is waited for, as lines beside what it writes.
import { Presets, SingleBar } from 'cli-progress'
import { progressWords } from '../core/account-reports.ts'
import type { Caller } from '../db/call.ts'
import { type ProgressRow, readProgress } from '../db/streams.ts'
import { lookEvery } from './repeated-look.ts'
import type { Terminal } from './terminal.ts'

const lookEveryMs = 250
const lineEveryMs = 1_000

/** Shows a bar, which is gone when the function that this answers with is called. */
export function showProgress(terminal: Terminal, caller: Caller, runId: string): () => Promise<void> {
  if (!terminal.hasProgress) return async () => {}
  const bar = new SingleBar(
    {
      format: '{bar} {value} of {total} done{word}',
      stream: process.stderr,
      // It changes no setting of the terminal: whoever ends the command by Ctrl-C would keep it.
      hideCursor: false,
      linewrap: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  )
  bar.start(1, 0, { word: '' })
  const stop = watch(caller, runId, lookEveryMs, (progress) => {
    bar.setTotal(progress.known)
    const [word] = stepWords(progress)
    bar.update(progress.done, { word: word === undefined ? '' : `, ${word}` })
  })
  return async () => {
    await stop()
    bar.stop()
  }
}

/** Prints a line whenever a step has said something new of its progress. */
export function noteProgress(terminal: Terminal, caller: Caller, runId: string): () => Promise<void> {
  if (!terminal.hasProgress) return async () => {}
  let told = new Set<string>()
  return watch(caller, runId, lineEveryMs, (progress) => {
    const words = stepWords(progress)
    for (const word of words) if (!told.has(word)) terminal.note(terminal.colours.dim(word))
    told = new Set(words)
  })
}

const wordsShown = 5

/** 'fetch: 40 of 120 (33 %)', of each step that says so. */
function stepWords({ reports }: ProgressRow): string[] {
  return reports.progress
    .slice(0, wordsShown)
    .map((told) => `${told.step}${told.item === null ? '' : ` item ${told.item}`}: ${progressWords(told)}`)
}

/** A look that fails shows nothing new; the wait itself reports what is wrong. */
function watch(
  caller: Caller,
  runId: string,
  everyMs: number,
  show: (progress: ProgressRow) => void,
): () => Promise<void> {
  return lookEvery(everyMs, () => readProgress(caller, runId).then(show, () => {}))
}
