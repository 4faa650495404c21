// bench/results.svg: a line a row, Millrace in the middle, and each peer as far from it as it is better or worse.
import { median } from '../measure.ts'
import type { Heading } from './heading.ts'
import { type Kept, us } from './kept.ts'
import { marksOf } from './marks.ts'
import type { Result } from './result.ts'

const widths = { labels: 270, plot: 560, margin: 24 } as const
const lineHeight = 26
const headHeight = 70
/** The scale goes from a thousandth to ten times Millrace. */
const decades = { least: -3, most: 1 } as const
const colours = [
  '#d55e00',
  '#0072b2',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#e69f00',
  '#8c564b',
  '#7f7f7f',
  '#332288',
]

export function pictureOf(kept: Kept): string {
  const lines = Object.values(kept.rows).flatMap((row) => {
    const results = row.results.filter(({ profile }) => profile === 'best')
    const ours = results.find(({ peer }) => peer === us)
    if (ours === undefined || ours.values.length === 0) return []
    const isCounted = marksOf(kept, row).length === 0
    return [{ row, isCounted, points: results.flatMap((result) => pointOf(row, result, ours)) }]
  })
  const names = [...new Set(lines.flatMap(({ points }) => points.map(({ peer }) => peer)))]
  const colourOf = (peer: string) => colours[names.indexOf(peer) % colours.length]!
  const width = widths.labels + widths.plot + widths.margin
  const height = headHeight + lines.length * lineHeight + 50
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>How far each peer is from Millrace, row by row</title>',
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...legend(names, colourOf),
    ...scale(height),
    ...lines.flatMap((line, index) => lineOf(line, index, colourOf)),
    '</svg>',
    '',
  ].join('\n')
}

interface Line {
  readonly row: Heading
  readonly isCounted: boolean
  readonly points: readonly Point[]
}

interface Point {
  readonly peer: string
  /** How many times as good as Millrace. */
  readonly ratio: number
}

function pointOf({ better }: Heading, { peer, values }: Result, ours: Result): Point[] {
  if (peer === us || values.length === 0) return []
  const ratio = median(values) / median(ours.values)
  return [{ peer, ratio: better === 'more' ? ratio : 1 / ratio }]
}

function legend(names: readonly string[], colourOf: (peer: string) => string): string[] {
  const perLine = 4
  return names.flatMap((name, index) => {
    const x = widths.margin + (index % perLine) * 205
    const y = 18 + Math.floor(index / perLine) * 18
    return [
      `<circle cx="${x}" cy="${y}" r="5" fill="${colourOf(name)}"/>`,
      `<text x="${x + 10}" y="${y + 4}">${escaped(name)}</text>`,
    ]
  })
}

function scale(height: number): string[] {
  const bottom = height - 34
  const marks = Array.from({ length: decades.most - decades.least + 1 }, (_, n) => 10 ** (decades.least + n))
  return [
    ...marks.flatMap((ratio) => {
      const x = placeOf(ratio)
      const isOurs = ratio === 1
      return [
        `<line x1="${x}" y1="${headHeight - 10}" x2="${x}" y2="${bottom}" stroke="${isOurs ? '#222222' : '#dddddd'}" stroke-width="${isOurs ? 2 : 1}"/>`,
        `<text x="${x}" y="${bottom + 16}" text-anchor="middle">${isOurs ? 'Millrace' : `${ratio} ×`}</text>`,
      ]
    }),
    `<text x="${widths.labels + widths.plot}" y="${bottom + 30}" text-anchor="end" fill="#555555">to the right: better than Millrace; triangles: farther than the scale goes; grey: not counted, as the page says</text>`,
  ]
}

function lineOf(
  { row, isCounted, points }: Line,
  index: number,
  colourOf: (peer: string) => string,
): string[] {
  const y = headHeight + index * lineHeight + 8
  return [
    `<text x="${widths.labels - 12}" y="${y + 4}" text-anchor="end" fill="${isCounted ? '#000000' : '#888888'}">${escaped(row.label)}</text>`,
    `<line x1="${widths.labels}" y1="${y}" x2="${widths.labels + widths.plot}" y2="${y}" stroke="#eeeeee"/>`,
    ...points.map((point) => markOf(point, y, colourOf(point.peer))),
  ]
}

function markOf({ peer, ratio }: Point, y: number, colour: string): string {
  const title = `<title>${escaped(peer)}: ${ratio.toPrecision(2)}</title>`
  const x = placeOf(ratio)
  const beyond = beyondScale(ratio)
  if (beyond === 0) return `<circle cx="${x}" cy="${y}" r="5" fill="${colour}">${title}</circle>`
  return `<path d="M ${x} ${y - 6} L ${x + 9 * beyond} ${y} L ${x} ${y + 6} Z" fill="${colour}">${title}</path>`
}

/** On which side of the scale a point is that lies outside it. */
function beyondScale(ratio: number): -1 | 0 | 1 {
  const decade = Math.log10(ratio)
  return decade > decades.most ? 1 : decade < decades.least ? -1 : 0
}

function placeOf(ratio: number): number {
  const decade = Math.min(decades.most, Math.max(decades.least, Math.log10(ratio)))
  const share = (decade - decades.least) / (decades.most - decades.least)
  return Math.round((widths.labels + share * widths.plot) * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
