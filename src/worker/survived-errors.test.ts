// Errors that a handler got over, without a database: what is kept before what.
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Operation } from './replay.ts'
import { SurvivedErrors } from './survived-errors.ts'

const operation = (name: string): Operation => ({ kind: 'run', name, number: 0, accompanied: true })

/** What is written stays under way until it is let go. */
function slowWrites() {
  const written: string[] = []
  const stored: Array<() => void> = []
  const errors = new SurvivedErrors(({ name }) => {
    written.push(name)
    return new Promise<void>((resolve) => stored.push(resolve))
  }, false)
  return { written, stored, errors }
}

test('an error that comes while another is being stored is stored before what rests on it', async () => {
  const { written, stored, errors } = slowWrites()
  await errors.give(operation('first'), new Error('one'), undefined).catch(() => {})
  void errors.keep()
  while (stored.length === 0) await turn()
  await errors.give(operation('second'), new Error('two'), undefined).catch(() => {})
  let goesOn = false
  const resting = errors.keep().then(() => {
    goesOn = true
  })
  stored[0]!()
  while (stored.length < 2 && !goesOn) await turn()
  expect(written).toEqual(['first', 'second'])
  expect(goesOn).toBe(false)
  stored[1]!()
  await resting
})

test('who fails from a text that two operations threw has failed from both', async () => {
  const errors = new SurvivedErrors(() => Promise.resolve(), false)
  for (const name of ['first', 'second']) await errors.give(operation(name), 'no', undefined).catch(() => {})
  await errors.keep()
  expect(await errors.close('no')).toEqual(['first', 'second'])
})

test('an error whose causes cannot be read has none', async () => {
  const errors = new SurvivedErrors(() => Promise.resolve(), false)
  await errors.give(operation('first'), new Error('one'), undefined).catch(() => {})
  await errors.keep()
  const unreadable = new Proxy(new Error('no'), {
    get: () => {
      throw new Error('unreadable')
    },
  })
  expect(await errors.close(unreadable)).toEqual([])
})
