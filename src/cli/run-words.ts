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

/** What a list has room for: a run that needs a version says which, the queue stands below the list. */
export function stateWords({ state, paused_at, needs }: Timed & { needs: Need | null }): string {
  if (paused_at !== null) return 'paused'
  return needs === null ? state : `needs v${needs.version}`
}

interface Need {
  readonly version: number
}

/** "needs version 2 of 'echo' (queue slow)". */
export function needWords(need: {
  readonly pipeline: string
  readonly version: number
  readonly queue: string
}): string {
  return `needs version ${need.version} of '${need.pipeline}' (queue ${need.queue})`
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

/** '3 min ago'. */
export function ago(time: Date, now: Date): string {
  return now.getTime() - time.getTime() < 1_000 ? 'just now' : `${age(time, now)} ago`
}

/** '0 s', '3 min', '2 d'; the largest unit is enough for a list. */
export function age(time: Date, now: Date): string {
  const ms = now.getTime() - time.getTime()
  if (ms < 1_000) return '0 s'
  return durationWords(ms)
    .replace(/^(\d+)\.\d s$/, '$1 s')
    .replace(/^(\d+ \w+) .*$/, '$1')
}

/** How long a run took from its start; what is live has taken no time yet that could be compared. */
export function tookWords({ state, created_at, finished_at }: Timed): string {
  return isFinal(state) && finished_at !== null ? inOneUnit(finished_at.getTime() - created_at.getTime()) : ''
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const

/** '221 ms', '59.9 s', '2.1 min', '12 h': so narrow that a list has room for the other columns. */
function inOneUnit(ms: number): string {
  const unit = units.find(([, size]) => ms >= size)
  if (unit === undefined) return durationWords(ms)
  const [name, size] = unit
  const tenths = Math.floor(ms / (size / 10))
  return `${tenths < 100 ? (tenths / 10).toFixed(1) : Math.floor(tenths / 10)} ${name}`
}
