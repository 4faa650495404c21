// The page on Millrace and its peers: written from what was measured, and honest about it.
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Kept } from '../bench/peers/kept.ts'
import { readOptions } from '../bench/peers/options.ts'
import { pageOf } from '../bench/peers/page.ts'
import { pictureOf } from '../bench/peers/picture.ts'

const folder = fileURLToPath(new URL('../bench', import.meta.url))
const read = (name: string) => fs.readFileSync(`${folder}/${name}`, 'utf8')

const heading = {
  label: 'drain',
  unit: 'tasks/s',
  better: 'more',
  how: 'all of them',
  machine: 'one',
  day: 'today',
} as const
const result = (peer: string, values: number[], rest: object = {}) =>
  ({ row: 'drain', peer, profile: 'best', values, ...rest }) as const

function kept(results: ReturnType<typeof result>[], better: 'more' | 'less' = 'more'): Kept {
  return { peers: {}, known: { drain: 'drain' }, rows: { drain: { ...heading, better, results } } }
}

const written = (...args: Parameters<typeof kept>) => pageOf(kept(...args))

test('the page and its picture are those of the measurements that are kept', () => {
  const measured = JSON.parse(read('peers/results.json')) as Kept
  expect(read('RESULTS.md')).toBe(pageOf(measured))
  expect(read('results.svg')).toBe(pictureOf(measured))
})

test('a row in which a peer is better stands at the head of the page, with how far Millrace is behind', () => {
  const page = written([result('Millrace', [50, 40, 60]), result('Swift', [100, 90, 110])])
  expect(page).toContain('- drain: Swift is first; Millrace is 0.50 times as good.')
  const behindTwo = written([
    result('Millrace', [50]),
    result('Swift', [100]),
    result('Quick', [80]),
    result('Slow', [20]),
  ])
  expect(behindTwo).toContain(
    'Millrace is 0.50 times as good.\n  - Quick is ahead as well; Millrace is 0.63 times as good.\n\n',
  )
  const slow = written([result('Millrace', [50, 40, 60]), result('Swift', [100, 90, 110])], 'less')
  expect(slow).toContain('Millrace is first in every row that was measured.')
})

test.each([
  [['--rounds', 'x'], "--rounds is a whole number from 1 to 1000, and not 'x'."],
  [['--rounds', '0'], 'a whole number'],
  [['--rounds', '2.5'], 'a whole number'],
  [['--rounds', ''], 'a whole number'],
  [['--only', 'floor'], "There is no row 'floor'; there are drain."],
  [['--peer', 'drain'], "There is no peer 'drain'; there are floor."],
  [['--quick', '--refresh'], 'leave out one of --quick and --refresh'],
])('a command with %j is refused before anything is measured', (args, sentence) => {
  expect(() => readOptions(args, { rows: ['drain'], peers: ['floor'] })).toThrow(sentence)
})

test('options come as they were given', () => {
  const options = readOptions(['--rounds', '3', '--only', 'drain'], { rows: ['drain'], peers: [] })
  expect(options).toMatchObject({ rounds: 3, only: ['drain'], refresh: false })
})

test('what a row can’t say of a peer is said in a sentence', () => {
  const page = written([result('Millrace', [50]), result('Small', [], { cannot: 'it has no queue' })])
  expect(page).toContain('Small has no value: it has no queue.')
})

test('rows, peers and goals that were not measured, or not met, are said', () => {
  const results = [
    result('Millrace', [50, 40]),
    result('pg-boss', [40, 40]),
    result('BullMQ on Postgres', [100]),
    result('BullMQ on Redis', [900]),
  ]
  const known = { drain: 'drain', takeover: 'kill -9' }
  const measured = { ...kept(results), known, peers: { Late: { version: '1', profiles: {}, keeps: 'all' } } }
  const page = pageOf(measured)
  expect(page).toContain('Not measured yet: kill -9.')
  expect(page).toContain('Not measured in this row: Late.')
  expect(page).toContain('All of them. tasks/s, more is better; 2 turns.')
  expect(page).toContain('| drain, by the fastest queue on Postgres | ≥ 1 | 0.50 | no |')
  expect(page).not.toContain('by the floor')
})

test('a peer twice as good lies as far to the right as one half as good lies to the left', () => {
  const at = (values: number[], better: 'more' | 'less') =>
    Number(
      /<circle cx="([\d.]+)" cy="\d+" r="5" fill="#d55e00"><title>/.exec(
        pictureOf(kept([result('Millrace', [50]), result('Other', values)], better)),
      )?.[1],
    )
  const middle = at([50], 'more')
  expect(at([100], 'more') - middle).toBeCloseTo(middle - at([25], 'more'), 0)
  expect(at([25], 'less')).toBe(at([100], 'more'))
})
