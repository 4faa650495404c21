// Where Millrace stands: the rows in which it is first, those that are too close to say, and those in which another one is ahead.
import { median } from '../measure.ts'
import type { Heading } from './heading.ts'
import { floor, type Kept, type KeptRow, us } from './kept.ts'
import { marksOf } from './marks.ts'
import { reasonOf } from './reasons.ts'
import type { Result } from './result.ts'
import { ranked } from './table.ts'

/** First is whose worst turn is better than the best turn of every other; medians of a few turns alone may change places tomorrow. */
export function standing(kept: Kept): string[] {
  const rows = Object.entries(kept.rows).map(([name, row]) => standOf(kept, name, row))
  const ours = rows.filter((row) => row.ours !== undefined && row.ahead.length === 0)
  const counted = ours.filter(({ marks }) => marks.length === 0)
  const first = counted.filter(({ near }) => near.length === 0)
  const close = counted.filter(({ near }) => near.length > 0)
  const uncounted = ours.filter(({ marks }) => marks.length > 0)
  return [
    ...paragraph('Millrace is first in', first, ({ row }) => row.label),
    ...paragraph(
      'Its median is the best, but within the spread of another, in',
      close,
      ({ row, near }) => `${row.label} (${near.join(', ')})`,
    ),
    ...paragraph(
      'Its median is the best in these too, which are not counted, as their headings say',
      uncounted,
      ({ row, marks }) => `${row.label} (${marks.join('; ')})`,
    ),
    ...behind(rows),
  ]
}

export function ratioText({ better }: Heading, ours: Result, other: Result): string {
  const [above, below] = better === 'more' ? [ours, other] : [other, ours]
  return (median(above.values) / median(below.values)).toFixed(2)
}

interface Stand {
  readonly name: string
  readonly row: KeptRow
  readonly marks: readonly string[]
  readonly ours: Result | undefined
  /** Whose medians are better, the best first; or the best alone where Millrace has no value. */
  readonly ahead: readonly Result[]
  /** Whose spreads the best one's touches. */
  readonly near: readonly string[]
}

function standOf(kept: Kept, name: string, row: KeptRow): Stand {
  const rivals = ranked(row, row.results.filter(isRival)).filter(({ values }) => values.length > 0)
  const place = rivals.findIndex(({ peer }) => peer === us)
  const [best, ...others] = rivals
  return {
    name,
    row,
    marks: marksOf(kept, row),
    ours: rivals[place],
    ahead: place === -1 ? rivals.slice(0, 1) : rivals.slice(0, place),
    near: best === undefined ? [] : others.filter((other) => touch(best, other)).map(({ peer }) => peer),
  }
}

/** In its best configuration, or in the only one that it has. */
function isRival({ peer, profile }: Result): boolean {
  return peer !== floor && profile === 'best'
}

function touch(one: Result, other: Result): boolean {
  return (
    Math.min(...one.values) <= Math.max(...other.values) &&
    Math.min(...other.values) <= Math.max(...one.values)
  )
}

function paragraph(begin: string, rows: readonly Stand[], textOf: (stand: Stand) => string): string[] {
  return rows.length === 0 ? [] : [`${begin}: ${rows.map(textOf).join('; ')}.`, '']
}

/** Every peer that is ahead, and why: in rows that are not counted as well. */
function behind(rows: readonly Stand[]): string[] {
  const lines = rows.flatMap((stand) => stand.ahead.map((other, rank) => behindText(stand, other, rank)))
  if (lines.length === 0) return []
  return ['Another one is ahead in these:', '', ...lines, '']
}

function behindText({ name, row, marks, ours, near }: Stand, other: Result, rank: number): string {
  const standing = ours === undefined ? 'has no value' : `is ${ratioText(row, ours, other)} times as good`
  const reason = ours === undefined ? undefined : reasonOf({ name, row, ours, other })
  const end = `Millrace ${standing}${reason === undefined ? '' : `: ${reason}`}.`
  if (rank > 0) {
    const spread = ours !== undefined && touch(ours, other) ? ', within the spread of Millrace' : ''
    return `  - ${other.peer} is ahead as well${spread}; ${end}`
  }
  const title = marks.length === 0 ? row.label : `${row.label} (${marks.join('; ')})`
  const spread = near.length === 0 ? '' : `, within the spread of ${near.join(', ')}`
  const place = marks.length + near.length === 0 ? 'is first' : `has the best median${spread}`
  return `- ${title}: ${other.peer} ${place}; ${end}`
}
