// Owns the words in which commands tell a run in a line: its state, when it began, how long it took.
import { isFinal, type RunState } from '../core/state.ts'
import { durationWords } from '../core/wording.ts'
import type { Terminal } from './terminal.ts'

interface Timed {
  readonly state: RunState
  readonly created_at: Date
  readonly finished_at: Date | null
  readonly paused_at: Date | null
}

export function stateWords({ state, paused_at }: Timed): string {
  return paused_at === null ? state : 'paused'
}

/** A state, padded or not, in its colour. */
export function paintState({ colours }: Terminal, cell: string): string {
  switch (cell.trim()) {
    case 'completed':
      return colours.green(cell)
    case 'failed':
      return colours.red(cell)
    case 'running':
      return colours.cyan(cell)
    default:
      return colours.yellow(cell)
  }
}

/** '3 min ago'; the largest unit is enough for a list. */
export function ago(time: Date, now: Date): string {
  const ms = now.getTime() - time.getTime()
  return ms < 1_000
    ? 'just now'
    : `${durationWords(ms)
        .replace(/^(\d+)\.\d s$/, '$1 s')
        .replace(/^(\d+ \w+) .*$/, '$1')} ago`
}

/** How long a run took from its start; what is live has taken no time yet that could be compared. */
export function tookWords({ state, created_at, finished_at }: Timed): string {
  return isFinal(state) && finished_at !== null
    ? durationWords(finished_at.getTime() - created_at.getTime())
    : ''
}
