// Owns what a doctor looks at in the secrets: how old they are.
import { count, durationWords } from '../../core/wording.ts'
import type { SecretRow } from '../../db/secrets.ts'
import { type Finding, ok, warn } from './finding.ts'

const told = 3

export function checkSecrets(secrets: readonly SecretRow[], now: Date): Finding {
  const overdue = secrets.filter(({ is_overdue }) => is_overdue)
  if (secrets.length === 0) return ok('secrets', 'There are none')
  if (overdue.length === 0)
    return ok('secrets', `${count(secrets.length, 'secret', 'secrets')}, none older than it may be`)
  const names = overdue
    .slice(0, told)
    .map(
      ({ name, changed_at }) =>
        `${name}, which is ${durationWords(now.getTime() - changed_at.getTime())} old`,
    )
  const more = overdue.length > told ? `; and ${overdue.length - told} more` : ''
  return warn(
    'secrets',
    `${count(overdue.length, 'secret is', 'secrets are')} older than it may be: ${names.join('; ')}${more}.`,
    'Change it where it is used, then write the new value with: npx millrace secret rotate NAME',
  )
}
