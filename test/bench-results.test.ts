// The page on Millrace and its peers: written from what was measured, and honest about it.
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { type Kept, type KeptRow, lostLines, type MeasuredWith, withRow } from '../bench/peers/kept.ts'
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
    result('Millrace', [50, 50]),
    result('Swift', [100, 100]),
    result('Quick', [80, 80]),
    result('Slow', [20, 20]),
  ])
  expect(behindTwo).toContain(
    'Millrace is 0.50 times as good.\n  - Quick is ahead as well; Millrace is 0.63 times as good.\n\n',
  )
  const slow = written([result('Millrace', [50, 40, 60]), result('Swift', [100, 90, 110])], 'less')
  expect(slow).toContain('Millrace is first in: drain.\n\n')
})

test('who is first is better in the worst turn than the others in their best', () => {
  const close = written([result('Millrace', [50, 60, 55]), result('Near', [40, 52, 45])])
  expect(close).not.toContain('Millrace is first')
  expect(close).toContain('Its median is the best, but within the spread of another, in: drain (Near).')
  const behind = written([
    result('Millrace', [50, 60, 55]),
    result('Near', [58, 70, 65]),
    result('Nearer', [57, 62, 60]),
  ])
  expect(behind).toContain(
    '- drain: Near has the best median, within the spread of Nearer, Millrace; Millrace is 0.85 times as good.',
  )
  expect(behind).toContain('  - Nearer is ahead as well, within the spread of Millrace; Millrace is 0.92')
})

const twoTurns = [result('Millrace', [50, 40]), result('Slow', [20, 10])]
const writtenWith = (row: Partial<KeptRow>, peers: Kept['peers'] = {}) =>
  pageOf({ peers, known: {}, rows: { drain: { ...heading, results: twoTurns, ...row } } })
const peer = (version: string, best = 'as its page says') => ({ version, profiles: { best }, keeps: 'all' })

test.each<[string, Partial<KeptRow>, Kept['peers']?]>([
  ['one turn', { results: [result('Millrace', [50]), result('Slow', [20])] }],
  ['busy machine', { busyShare: 0.3 }],
  ['busy machine', { machine: 'one, load 30 at the beginning, from other work: values are low' }],
  ['without Late', { leftOut: ['Late'] }],
  ['without Late', {}, { Late: peer('late 1.0.0') }],
  [
    'without Small',
    { results: [...twoTurns, result('Small', [], { cannot: 'a pipe broke', isMishap: true })] },
  ],
])('a row with the mark "%s" has it in its heading, and is not counted', (mark, row, peers) => {
  const page = writtenWith(row, peers)
  expect(page).toContain(`## drain (${mark})\n`)
  expect(page).not.toContain('is first')
  expect(page).toContain(`which are not counted, as their headings say: drain (${mark}).`)
  const results = [...(row.results ?? twoTurns), result('Swift', [900])]
  expect(writtenWith({ ...row, results }, peers)).toContain(
    `- drain (${mark}): Swift has the best median; Millrace is`,
  )
})

test('a row that could have had the floor, or lacks who can’t do it, counts all the same', () => {
  const results = [...twoTurns, result('Small', [], { cannot: 'it has no queue' })]
  expect(writtenWith({ leftOut: ['Floor'], results })).toContain('Millrace is first in: drain.')
})

const withPeers = (peers: MeasuredWith['peers'], hasChanges = false): Partial<KeptRow> => ({
  measuredWith: { checkout: { commit: 'abc1234def5678', hasChanges }, peers },
})

test('each row says with which commit it was measured, and which versions and settings are others today', () => {
  const peers = { Slow: peer('slow 2.0.0') }
  const below = (row: Partial<KeptRow>) => /^Measured .*$/m.exec(writtenWith(row, peers))?.[0]
  expect(below({ ...withPeers(peers), busyShare: 0.01 })).toBe(
    'Measured today at abc1234; 1 % of the machine was at work before.',
  )
  expect(below(withPeers(peers, true))).toBe('Measured today at abc1234 with changes.')
  expect(below(withPeers({ Slow: peer('slow 1.9.0') }))).toBe(
    'Measured today at abc1234, then with slow 1.9.0.',
  )
  expect(below(withPeers({ Slow: peer('slow 2.0.0', 'ten slots') }))).toBe(
    'Measured today at abc1234, then with slow 2.0.0, set otherwise (best: ten slots).',
  )
  expect(below({})).toBe('Measured today; with which commit and versions is unknown.')
})

test('a row that is measured again leaves the others what they were measured with', () => {
  const known = { drain: 'drain', takeover: 'kill -9' }
  const measure = (before: Kept, name: 'drain' | 'takeover', version: string) =>
    withRow(before, {
      name,
      row: { ...heading, label: known[name], results: twoTurns, ...withPeers({ Slow: peer(version) }) },
      peers: { Slow: peer(version) },
      known,
    })
  const old = measure({ peers: {}, known: {}, rows: {} }, 'takeover', 'slow 1.9.0')
  const page = pageOf(measure(old, 'drain', 'slow 2.0.0'))
  expect(page.match(/^#+ .*$|^Measured .*$/gm)).toEqual([
    '# Millrace and its peers',
    '## drain',
    'Measured today at abc1234.',
    '## kill -9',
    'Measured today at abc1234, then with slow 1.9.0.',
    '## With what',
    '## How',
    '## What is unfair, in whose favour',
  ])
})

test('a refresh with few peers would lose those that the page shows', () => {
  const row: KeptRow = { ...heading, results: [...twoTurns, result('Small', [])] }
  const [ours, slow] = ['Millrace', 'Slow'].map((name) => ({ peer: name, profile: 'best' as const }))
  expect(lostLines(row, [ours!])).toEqual(['Slow'])
  expect(lostLines(row, [ours!, slow!])).toEqual([])
  expect(lostLines(undefined, [ours!])).toEqual([])
})

const byDefault = (name: string, values: number[], rest: object = {}) => ({
  ...result(name, values, rest),
  profile: 'default' as const,
})

test('a refresh with the best configurations alone would lose the others that the page shows', () => {
  const row: KeptRow = {
    ...heading,
    results: [...twoTurns, byDefault('Slow', [1, 2]), byDefault('Small', [])],
  }
  expect(lostLines(row, twoTurns)).toEqual(['Slow (default)'])
  expect(lostLines(row, row.results)).toEqual([])
})

test('who has a value and none by default is said to have none, once', () => {
  const none = { cannot: 'no task had begun' }
  const small = [result('Small', [], none), byDefault('Small', [], none)]
  const page = writtenWith({ results: [...twoTurns, byDefault('Slow', [], none), ...small] })
  expect(page).toContain('Slow has none by default: no task had begun.')
  expect(page.match(/Small has/g)).toHaveLength(1)
})

const costs = (logBytes: number, cpuMs: number) => ({
  costs: {
    ...{ clientCpuMs: cpuMs, serverCpuMs: cpuMs, statements: 1, commits: 1 },
    ...{ logBytes, peakBytes: 1 },
  },
})

test('numbers in reasons and beside goals are those of the row, and of no row whose costs were reckoned otherwise', () => {
  const results = [
    result('Millrace', [10_000, 10_000], costs(1_260, 0.04)),
    result('Graphile Worker', [20_000, 20_000], costs(550, 0.025)),
  ]
  const page = writtenWith({ results, ...withPeers({}) })
  expect(page).toContain(
    'with output and times, which is 2.3 times the log; a task takes 80 µs of processor time where one of its takes 50 µs, and 0.8 processors are at work for Millrace.',
  )
  expect(page).toContain(
    '| drain, by the fastest queue on Postgres | ≥ 1 | 0.50 | no | 40 µs + 40 µs | 25 µs + 25 µs | 0.8 |',
  )
  const unknown = writtenWith({ results })
  expect(unknown).toContain('ends the run besides, with output and times.')
  expect(unknown).toContain(
    'were measured before the costs of a drain were taken from the start of its workers',
  )
  expect(unknown).toContain('| ≥ 1 | 0.50 | no | – | – | – |')
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
  expect(page).toContain('| drain, by the fastest queue on Postgres | ≥ 1 | 0.50 | no | – | – | – |')
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

test('a peer farther from Millrace than the scale goes is a triangle at its edge, and a row that does not count is grey', () => {
  const picture = pictureOf(
    kept([result('Millrace', [50, 50]), result('Far', [900, 900]), result('None', [0, 0])]),
  )
  expect(picture.match(/<path d="M [\d.]+ 72 L [\d.]+ 78 L [\d.]+ 84 Z"/g)).toHaveLength(2)
  expect(picture).not.toContain('fill="#888888">drain')
  expect(pictureOf(kept([result('Millrace', [50])]))).toContain('fill="#888888">drain')
})
