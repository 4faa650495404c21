// Owns how the settings of a server become those of its people: with the secret from the environment, and never one of our own.
import { MillraceError } from '../../core/errors.ts'
import type { PeopleConfig } from '../../sdk/config.ts'
import { type PeopleOptions, secretLengthMin } from './people.ts'

const secretVariable = 'MILLRACE_SERVER_SECRET'
const providerVariable = 'MILLRACE_OIDC_CLIENT_SECRET'

/**
 * Undefined where neither the configuration nor the environment says that people sign in.
 *
 * @throws MillraceError server_secret_missing
 */
export function peopleOptions(
  config: PeopleConfig | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): PeopleOptions | undefined {
  const secret = environment[secretVariable] ?? ''
  if (config === undefined && secret === '') return undefined
  const { oidc, ...settings } = config ?? {}
  if (secret.length < secretLengthMin)
    throw missing(
      secret === ''
        ? `${secretVariable} is not set`
        : `${secretVariable} has fewer than ${secretLengthMin} characters`,
      'Give it random characters, the same for each server of this database: openssl rand -base64 32',
    )
  if (oidc === undefined) return { ...settings, secret }
  const clientSecret = environment[providerVariable] ?? ''
  if (clientSecret === '')
    throw missing(`${providerVariable} is not set`, 'Give it the secret that the provider gave this server.')
  return { ...settings, secret, oidc: { ...oidc, clientSecret } }
}

function missing(what: string, hint: string): MillraceError {
  return new MillraceError('server_secret_missing', `The server can't sign people in: ${what}.`, { hint })
}
