// Refuses names and keys that hold a secret: they are stored as they are, to be found by them, so that nothing could stand in the secret's place.
import { MillraceError } from '../core/errors.ts'
import { readSecrets } from './read-secrets.ts'

/** @throws MillraceError secret_in_name */
export function refuseSecrets(what: string, name: unknown): void {
  if (readSecrets.isEmpty) return
  const text = JSON.stringify(name)
  if (text === undefined || readSecrets.redactJson(text) === text) return
  throw new MillraceError(
    'secret_in_name',
    `${what} holds the value of a secret: ${readSecrets.redactJson(text).slice(0, 200)}.`,
  )
}
