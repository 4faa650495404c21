// What is kept of the headers of a request: nothing by which its reader could act for its sender.
import { expect, test } from 'vitest'
import { keptHeaders } from './masked-headers.ts'

test('headers that hold a credential are masked, however their provider calls it, and names stay', () => {
  const given = {
    Authorization: 'Bearer 1',
    'x-functions-key': '2',
    'Ocp-Apim-Subscription-Key': '3',
    'X-Api-Key': '4',
    'idempotency-key': '5',
    'x-event-key': 'person.changed',
  }
  expect(keptHeaders(Object.entries(given))).toEqual({
    authorization: '[masked]',
    'x-functions-key': '[masked]',
    'ocp-apim-subscription-key': '[masked]',
    'x-api-key': '[masked]',
    'idempotency-key': '5',
    'x-event-key': 'person.changed',
  })
  expect(keptHeaders([['X-Own', '6']], ['x-own'])).toEqual({ 'x-own': '[masked]' })
})
