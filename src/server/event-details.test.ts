// What of the history is told to those who may not see payloads: every kind that SQL writes is decided on, and what nobody decided on stays away.
import { expect, test } from 'vitest'
import { eventKinds } from '../../test/event-kinds.ts'
import { toldDetails, withoutPayloads } from './event-details.ts'

test('for each kind of event that SQL writes it is decided which details are told to whoever may not see payloads', () => {
  expect(Object.keys(toldDetails).sort()).toEqual(eventKinds())
})

test.each([...eventKinds(), 'run.noted'])('of %s no detail is told that nobody decided on', (kind) => {
  const event = { at: '', actor: 'ada', kind, step: 'load', item: 3, attempt: 2 }
  const detail = Object.fromEntries([...(toldDetails[kind] ?? []), 'new'].map((name) => [name, name]))
  const told = withoutPayloads({ ...event, detail })
  expect(told).toMatchObject(event)
  expect(Object.keys(told.detail)).toEqual(toldDetails[kind] ?? [])
})
