// What `npm run bench -- --compare` says of two revisions, and in which order it lets them measure.
import { expect, test } from 'vitest'
import { compareRows, comparisonOf, comparisonText, comparisonTexts } from '../bench/comparison.ts'
import { Ending } from '../bench/ending.ts'
import { readOptions } from '../bench/options.ts'
import { judge } from '../bench/report.ts'
import { buildRevision } from '../bench/revision.ts'
import { byTurns } from '../bench/turns.ts'

const row = (ours: number[], more: { unit?: string; floor?: number[] } = {}) =>
  judge('drain', { label: 'drain', unit: 'runs/s', ours, ...more })

test('two revisions take turns round by round, each begins every other one, and the longer goes on alone', async () => {
  const order: string[] = []
  const side = (name: string, rounds: number) => {
    let left = rounds
    return {
      go: async () => {
        order.push(name)
        return left-- > 0 ? undefined : `${name} is done`
      },
    }
  }
  expect(await byTurns(side('before', 1), side('now', 3))).toEqual(['before is done', 'now is done'])
  expect(order).toEqual(['before', 'now', 'now', 'before', 'now', 'now'])
})

test('a regression is one where no round of the one revision lies among those of the other', () => {
  const verdict = (before: number[], now: number[], unit?: string) => {
    const more = unit === undefined ? {} : { unit }
    return compareRows([row(before, more)], [row(now, more)])[0]?.verdict
  }
  expect(verdict([100, 102, 104], [90, 92, 99])).toBe('worse')
  expect(verdict([100, 102, 104], [105, 110, 111])).toBe('better')
  expect(verdict([100, 102, 104], [80, 85, 101])).toBe('same')
  expect(verdict([1, 2, 3], [4, 5, 6], 'ms')).toBe('worse')
  expect(verdict([4, 5, 6], [1, 2, 3], 'ms')).toBe('better')
})

test('a goal says which way is better, whatever the unit', () => {
  const statements = (ours: number[]) =>
    judge('api', { label: 'statements', unit: '/s', ours, goal: { atMost: 1 } })
  expect(compareRows([statements([0.5, 0.6])], [statements([5, 6])])[0]?.verdict).toBe('worse')
  const ratio = (ours: number[]) =>
    judge('wake-up', { label: 'wait', unit: 'ms', floor: [1, 1], ours, goal: { atMost: 2 } })
  expect(compareRows([ratio([5, 6])], [ratio([3, 4])])[0]?.verdict).toBe('better')
})

test('a value that was taken once is neither better nor worse, and nothing by nothing is the same', () => {
  const [once, never] = compareRows(
    [row([5]), judge('keys', { label: 'taken', unit: '', ours: [0, 0] })],
    [row([9]), judge('keys', { label: 'taken', unit: '', ours: [0, 0] })],
  )
  expect(once).toMatchObject({ verdict: 'one value', ratio: 1.8 })
  expect(never).toMatchObject({ verdict: 'same', ratio: 1 })
  const [more] = compareRows(
    [judge('keys', { label: 'taken', unit: '', ours: [0, 0], goal: { atMost: 0 } })],
    [judge('keys', { label: 'taken', unit: '', ours: [2, 3], goal: { atMost: 0 } })],
  )
  expect(more).toMatchObject({ verdict: 'worse', ratio: null })
  expect(comparisonText(more!)).not.toMatch(/NaN|Infinity/)
})

test('a row that one revision lacks is told, and so is what each of them could not measure', () => {
  const named = (label: string) => judge('drain', { label, unit: 's', ours: [1, 2] })
  const comparison = comparisonOf(
    'drain',
    { rows: [named('both'), named('gone')] },
    { rows: [named('both'), named('new')] },
  )
  expect(comparisonTexts(comparison).slice(1)).toEqual([
    'gone: only the other revision has this row, 1.00 to 2.00 s',
    'new: only this checkout has this row, 1.00 to 2.00 s',
  ])
  const broken = comparisonOf('drain', { fault: 'no such function' }, { fault: 'it hangs' })
  expect(broken).toMatchObject({ compared: [], alone: [] })
  expect(comparisonTexts(broken)).toEqual([
    'drain: not measured, since the other revision says: no such function',
    'drain: not measured, since this checkout says: it hangs',
  ])
  expect(comparisonOf('drain', { rows: [] }, { fault: 'it hangs' }).faults).toEqual([
    { figure: 'drain', side: 'now', fault: 'it hangs' },
  ])
})

test('the ratio is that of the medians, and the one of the floors tells whether the machine was the same', () => {
  const [compared] = compareRows(
    [
      row([90, 100, 110], { floor: [200, 200, 200] }),
      judge('drain', { label: 'gone', unit: 's', ours: [1] }),
    ],
    [row([45, 50, 55], { floor: [180, 190, 200] }), judge('drain', { label: 'new', unit: 's', ours: [1] })],
  )
  expect(compared).toMatchObject({ ratio: 0.5, floorRatio: 0.95, verdict: 'worse' })
  expect(comparisonText(compared!)).toBe(
    'drain                                    100       50.0   0.50   0.95  worse\n' +
      '    before 90.0 to 110, now 45.0 to 55.0 runs/s',
  )
})

test('a revision that is not there is refused by its name', async () => {
  const ending = new Ending()
  await expect(buildRevision('no-such-revision', ending)).rejects.toThrow(/'no-such-revision'/)
  await expect(buildRevision('--output=elsewhere', ending)).rejects.toThrow(/'--output=elsewhere'/)
  await ending.run()
})

test('options that make no sense are refused with a sentence', () => {
  const read = (...args: string[]) => readOptions(args, ['drain', 'fan-out'])
  expect(read('--only', 'drain', '--quick')).toMatchObject({ only: ['drain'], quick: true, json: false })
  expect(read('--only', 'drian')).toBe("There is no figure 'drian'; there is drain, fan-out.")
  expect(read('drain')).toMatch(/^Unexpected argument 'drain'.*npm run bench/s)
  expect(read('--fast')).toMatch(/^Unknown option '--fast'.*npm run bench/s)
  expect(read('--compare=')).toBe('--compare needs a value: a revision.')
  expect(read('--cpu-prof=')).toBe('--cpu-prof needs a value: a folder.')
  expect(read('--compare', 'main', '--statements')).toMatch(/^--statements looks at one revision/)
  expect(read('--compare', 'main', '--cpu-prof', 'here')).toMatch(/^--cpu-prof looks at one revision/)
  expect(read('--help', '--only', 'drian')).toMatchObject({ help: true })
})
