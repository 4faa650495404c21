// Encrypting anew over HTTP: however many answers there are, what is told of them is bounded.
import { expect, test } from 'vitest'
import type { HttpClient } from '../../client/http-client.ts'
import { remoteReencrypt } from './reencrypt.ts'

test('what could not be opened is told a thousand times at most, over all answers together', async () => {
  const places: unknown[] = []
  const left = Array.from({ length: 700 }, (_, n) => ({ run: String(n), place: 'input', reason: 'no key' }))
  const client = {
    reencrypt: ({ body }: { body: { after?: string } }) => {
      places.push(body.after)
      const next = places.length < 3 ? `deliveries:${places.length}` : null
      return Promise.resolve({ key: 'k2', values: 2, secrets: 1, left, next })
    },
  } as unknown as HttpClient
  const told = await remoteReencrypt(client, 100)
  expect([told.values, told.left.length]).toEqual([6, 1_000])
  expect(places).toEqual([undefined, 'deliveries:1', 'deliveries:2'])
})
