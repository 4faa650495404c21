// What `npm run bench -- --compare` says of two revisions, and in which order it lets them measure.
import { expect, test } from 'vitest'
import { compareRows, comparisonText } from '../bench/comparison.ts'
import { Ending } from '../bench/ending.ts'
import { judge } from '../bench/report.ts'
import { buildRevision } from '../bench/revision.ts'
import { byTurns } from '../bench/turns.ts'

const row = (ours: number[], more: { unit?: string; floor?: number[] } = {}) =>
  judge('drain', { label: 'drain', unit: 'runs/s', ours, ...more })

test('two revisions take turns round by round, and the longer one goes on alone', async () => {
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
  expect(order).toEqual(['before', 'now', 'before', 'now', 'now', 'now'])
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
