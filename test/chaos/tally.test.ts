// What of the load's errors a fault explains, and what is told as broken.
import { expect, test } from 'vitest'
import { type ErrorCode, MillraceError } from '../../src/core/errors.ts'
import { isRefusal, Refusal } from './refusals.ts'
import { Tally } from './tally.ts'

const raised = (code: string) => Object.assign(new Error('raised'), { severity: 'ERROR', code })
const ofNetwork = (code: string) => Object.assign(new Error('cut off'), { code })
const ofMillrace = (code: ErrorCode, cause?: Error) => new MillraceError(code, 'A sentence.', { cause })

const byFaults: Array<[string, unknown]> = [
  ['a connection that is refused', ofNetwork('ECONNREFUSED')],
  ['a connection that is reset', ofNetwork('ECONNRESET')],
  ['a connection that ends', new Error('Connection terminated unexpectedly')],
  ['an answer that does not come', new Error('Query read timeout')],
  ['a backend that is terminated', raised('57P01')],
  ['a server that crashes', raised('57P02')],
  ['a server that starts', raised('57P03')],
  ['a transaction that stood still', raised('25P03')],
  ['connections that are exhausted', raised('53300')],
  ['a disk that is full', raised('53100')],
  ['no memory', raised('53200')],
  ['a disk that fails', raised('58030')],
  ['a server that is read-only', raised('25006')],
  ['a statement that takes too long', raised('57014')],
  ['a lock that takes too long', raised('55P03')],
  ['a deadlock', raised('40P01')],
  ['a server that is away, as the client says it', ofMillrace('database_unreachable')],
  ['a server that is full, as the client says it', ofMillrace('database_full', raised('53300'))],
  ['a server that is read-only, as the client says it', ofMillrace('database_read_only')],
  ['a sender that is told to come later', new Refusal('503')],
]
const byOurselves: Array<[string, unknown]> = [
  ['a column that there is no more', raised('42703')],
  ['a function that there is no more', raised('42883')],
  ['a duplicate', raised('23505')],
  ['a right that is missing', raised('42501')],
  ['damaged data', raised('XX001')],
  ['an answer without its run', new TypeError("Cannot read properties of undefined (reading 'id')")],
  ['a conflict of keys', ofMillrace('idempotency_conflict', raised('MR009'))],
  ['a run that is not there', ofMillrace('run_unknown', raised('MR006'))],
  ['a key that is missing', ofMillrace('encryption_key_missing')],
  ['no error at all', undefined],
]

test.each(byFaults)('%s is explained by a fault', (_, error) => {
  expect(isRefusal(error)).toBe(true)
})

test.each(byOurselves)('%s is explained by no fault', (_, error) => {
  expect(isRefusal(error)).toBe(false)
})

test('what is asked is counted by its kind, and what fails is refused by a fault, or broken, with its story and not without end', async () => {
  const tally = new Tally()
  expect(await tally.ask('runs', () => Promise.resolve(7))).toBe(7)
  const lost = ofNetwork('ECONNRESET')
  await expect(tally.ask('a booking', () => Promise.reject(lost))).rejects.toBe(lost)
  expect(tally.asked).toMatchObject({
    runs: { tried: 1, acknowledged: 1 },
    'a booking': { tried: 1, acknowledged: 0 },
    changes: { tried: 0, acknowledged: 0 },
  })
  tally.failed('A booking', lost)
  tally.failed('A booking', ofMillrace('database_full', raised('53300')))
  tally.failed('A booking', raised('53300'))
  tally.failed('A booking', new Error('Connection terminated unexpectedly'))
  const refusals = { '53300': 2, ECONNRESET: 1, 'Error: Connection terminated unexpectedly': 1 }
  expect(tally).toMatchObject({ refusals, broken: [] })
  tally.failed('A booking', raised('42703'))
  expect(tally.refusals).toEqual(refusals)
  expect(tally.broken).toEqual([
    expect.stringMatching(/^A booking failed, and no fault explains it: Error: raised\n[^]*42703/),
  ])
  for (let time = 0; time < 100; time++) tally.failed('A booking', raised('42703'))
  expect(tally.broken.length).toBeLessThan(50)
})

test('once all is in order again each kind is to be acknowledged within its time, and what failed once may be asked again until then', async () => {
  const tally = new Tally()
  let asked = 0
  const ask = (refusals: number) => async () => {
    await tally.ask('runs', () =>
      asked++ < refusals ? Promise.reject(ofNetwork('ECONNRESET')) : Promise.resolve(),
    )
  }
  await tally.askAgain('runs', ask(2), 60_000)
  expect(tally).toMatchObject({ refusals: { ECONNRESET: 2 }, broken: [] })
  await tally.askAgain('runs', ask(Infinity), 1)
  expect(tally.broken).toEqual([
    expect.stringMatching(/^With all in order again runs was refused for [0-9.]+ s\.$/),
  ])
  await tally.askAgain('changes', () => tally.ask('changes', () => Promise.resolve()), 60_000)
  expect(tally.broken).toHaveLength(1)
})
