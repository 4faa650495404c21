// Owns the option that says what becomes of a firing while a run of its schedule is live.
import { Option } from 'commander'
import { type Overlap, storedOverlaps } from '../../sdk/schedule.ts'
import { text } from '../option-values.ts'

export interface OverlapChoice {
  readonly overlap?: Overlap
}

export function overlapOption(description: string): Option {
  const words = (Object.keys(storedOverlaps) as Overlap[]).map((overlap) => overlap.replace(' ', '-'))
  return new Option('--overlap <overlap>', `${description}: ${words.join(', ')}`).argParser((word) =>
    text('--overlap')(word).replace('-', ' '),
  )
}
