// What counts as a return after a restart: workers that were well, all of them, and only where their own faults don't come between.
import { expect, test } from 'vitest'
import type { Sql } from '../protocol.ts'
import { Returns } from './returns.ts'

const seat = (pid: number) => ({
  pid: pid as number | undefined,
  wellSince: -1 as number | undefined,
  options: { way: 'directly' as const },
})

type Rows = ReadonlyArray<{ readonly pid: number; readonly works: boolean }>

/** A server that answers each look with the next of these, and with the last for ever. */
function serverOf(...looks: Array<() => Rows>): Sql {
  let look = 0
  const query = (text: string) =>
    Promise.resolve(
      text.includes('as now') ? [{ now: new Date() }] : looks[Math.min(look++, looks.length - 1)]!(),
    )
  return { query } as unknown as Sql
}

const both: Rows = [
  { pid: 1, works: false },
  { pid: 2, works: true },
]

test('all that were well are waited for, and those that were not are not', async () => {
  const returns = new Returns(
    serverOf(
      () => both.slice(1),
      () => both,
    ),
    [seat(1), seat(2)],
  )
  await returns.measure('server killed')
  expect(returns.seen).toEqual([expect.objectContaining({ after: 'server killed', last: ['directly'] })])
  const one = new Returns(
    serverOf(() => both.slice(1)),
    [{ ...seat(1), wellSince: undefined }, seat(2)],
  )
  await one.measure('server killed')
  expect(one.seen).toEqual([expect.objectContaining({ last: [] })])
})

test('where nobody was well nothing is measured', async () => {
  const returns = new Returns(
    serverOf(() => []),
    [{ ...seat(1), wellSince: undefined }],
  )
  await returns.measure('server killed')
  expect(returns.seen).toEqual([])
})

test('where a worker has a fault of its own before it is back nothing is measured', async () => {
  const first = seat(1)
  const ends = () => {
    first.wellSince = undefined
    return both.slice(1)
  }
  const returns = new Returns(
    serverOf(() => both.slice(1), ends),
    [first, seat(2)],
  )
  await returns.measure('server killed')
  expect(returns.seen).toEqual([])
})
