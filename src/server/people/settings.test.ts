// What of the people's settings comes from the environment: secrets, and never a default for one.
import { expect, test } from 'vitest'
import { peopleOptions } from './settings.ts'

const secret = 'x'.repeat(32)
const oidc = { issuer: 'https://login.example.org', clientId: 'millrace' }

test('JQ-14 people need a secret of 32 characters from the environment: without it nothing starts that would sign them in', () => {
  expect(peopleOptions(undefined, {})).toBeUndefined()
  for (const environment of [{}, { MILLRACE_SERVER_SECRET: '' }])
    expect(() => peopleOptions({}, environment)).toThrow(/MILLRACE_SERVER_SECRET is not set/)
  const short = { MILLRACE_SERVER_SECRET: secret.slice(1) }
  for (const config of [undefined, {}])
    expect(() => peopleOptions(config, short)).toThrow(
      expect.objectContaining({
        code: 'server_secret_missing',
        message: expect.not.stringContaining(secret.slice(1)) as string,
      }) as Error,
    )
  expect(peopleOptions(undefined, { MILLRACE_SERVER_SECRET: secret })).toEqual({ secret })
})

test('JQ-14 a provider needs the secret that it gave this server', () => {
  const environment = { MILLRACE_SERVER_SECRET: secret }
  expect(() => peopleOptions({ oidc }, environment)).toThrow(/MILLRACE_OIDC_CLIENT_SECRET is not set/)
  expect(
    peopleOptions({ oidc, breachCheck: false }, { ...environment, MILLRACE_OIDC_CLIENT_SECRET: 'given' }),
  ).toEqual({
    secret,
    breachCheck: false,
    oidc: { ...oidc, clientSecret: 'given' },
  })
})
