// What a step may say: its form, and each bound with the code of its refusal.
import { expect, test } from 'vitest'
import { metadataPatch, metricReport, partText, progressText, reportBytesMax } from './reports.ts'

function codeOf(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return (error as { code: unknown }).code
  }
  return undefined
}

test('progress is a number from 0, perhaps of a total, with a note that is cut at 200 characters', () => {
  expect(progressText(3)).toBe('{"done":3}')
  expect(progressText(3, 10, 'page 3')).toBe('{"done":3,"total":10,"note":"page 3"}')
  const { note } = JSON.parse(progressText(0, 0, `${'x'.repeat(300)}`)) as { note: string }
  expect(note).toHaveLength(200)
  for (const done of [-1, Number.NaN, Number.POSITIVE_INFINITY, '3' as never, undefined as never])
    expect(codeOf(() => progressText(done))).toBe('progress_invalid')
  expect(codeOf(() => progressText(1, -1))).toBe('progress_invalid')
})

test('FO-15 a metric has a name, a finite number and short labels, or is refused', () => {
  expect(metricReport('members_found', 3).text).toBe('{"name":"members_found","value":3,"labels":{}}')
  const [one, other] = [
    { b: 'x', a: 'y' },
    { a: 'y', b: 'x' },
  ].map((labels) => metricReport('m', 1, labels))
  expect(one).toEqual(other)
  expect(metricReport('m', 1, { a: 'x' }).series).not.toBe(metricReport('m', 1, { a: 'y' }).series)
  const refused: ReadonlyArray<readonly [string, number, Readonly<Record<string, string>>?]> = [
    ['Members', 1],
    ['', 1],
    ['x'.repeat(64), 1],
    ['m', Number.NaN],
    ['m', '1' as never],
    ['m', 1, { 'bad name': 'x' }],
    ['m', 1, { a: 'x'.repeat(101) }],
    ['m', 1, { a: 1 as never }],
    ['m', 1, { a: '\u0000' }],
    ['m', 1, { a: '1', b: '2', c: '3', d: '4', e: '5', f: '6' }],
  ]
  for (const [name, value, labels] of refused)
    expect(codeOf(() => metricReport(name, value, labels))).toBe('metric_invalid')
})

test('a part is any JSON value of at most 64 KB', () => {
  expect(partText(undefined)).toBe('null')
  expect(partText({ token: 'a' })).toBe('{"token":"a"}')
  expect(partText('x'.repeat(reportBytesMax - 2))).toHaveLength(reportBytesMax)
  expect(codeOf(() => partText('x'.repeat(reportBytesMax - 1)))).toBe('json_too_large')
  expect(codeOf(() => partText({ n: 1n }))).toBe('json_invalid')
})

test('a patch of metadata is an object, and null in it stays', () => {
  expect(metadataPatch({ a: 1, b: null, c: undefined })).toEqual([
    ['a', 1],
    ['b', null],
  ])
  for (const patch of [null, [], 'text', 3]) expect(codeOf(() => metadataPatch(patch))).toBe('json_invalid')
  expect(codeOf(() => metadataPatch({ a: 'x'.repeat(reportBytesMax) }))).toBe('json_too_large')
})
