// What is taken out of values: by the names that credentials have, however they are written.
import { expect, test } from 'vitest'
import { maskedValue } from './masked-values.ts'

test('what stands under the name of a credential is masked, however deep, and told by its path', () => {
  const value = {
    state: 'TX',
    apiKey: 'abc',
    user: { name: 'ann', Session_Token: 1, author: 'eve' },
    list: [{ credentials: { login: 'a', tries: 2, none: null } }],
  }
  expect(maskedValue(value)).toMatchObject({
    value: {
      state: 'TX',
      apiKey: '[masked]',
      user: { name: 'ann', Session_Token: '[masked]', author: 'eve' },
      list: [{ credentials: { login: '[masked]', tries: '[masked]', none: null } }],
    },
    paths: ['apiKey', 'user.Session_Token', 'list[0].credentials.login', 'list[0].credentials.tries'],
  })
})

test('a key is masked where it opens something, and stays where it names something', () => {
  const opening = { signingKey: 'a', SSHKey: 'b', encryption_key: 'c', 'master-keys': ['d'], dbPwd: 'e' }
  const naming = { key: 'a', idempotencyKey: 'b', sortKey: 'c', projectKey: 'd', keys: ['e'], keyboard: 'f' }
  expect(maskedValue({ opening, naming })).toMatchObject({
    value: {
      opening: {
        signingKey: '[masked]',
        SSHKey: '[masked]',
        encryption_key: '[masked]',
        'master-keys': ['[masked]'],
        dbPwd: '[masked]',
      },
      naming,
    },
  })
})

test('paths that are named are masked as well, with all below them, and it is told which of them are there', () => {
  expect(maskedValue({ customer: { email: 'a@b', id: 7 }, n: 1 }, ['customer', 'costumer'])).toEqual({
    value: { customer: { email: '[masked]', id: '[masked]' }, n: 1 },
    paths: ['customer.email', 'customer.id'],
    met: new Set(['customer']),
  })
})
