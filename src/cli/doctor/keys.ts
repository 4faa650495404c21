// Owns what a doctor looks at in the keys for the HTTP API: which end soon or are old, and that nobody has replaced.
import { count } from '../../core/wording.ts'
import type { KeyWarningRow } from '../../db/api-keys.ts'
import { type Finding, ok, warn } from './finding.ts'

const told = 3

export function checkKeys(keys: readonly KeyWarningRow[]): Finding {
  if (keys.length === 0) return ok('keys', 'None ends within two weeks, and none is too old')
  const names = keys
    .slice(0, told)
    .map(
      ({ name, prefix, expires_at }) => `${name} (${prefix}), until ${expires_at.toISOString().slice(0, 10)}`,
    )
  const more = keys.length > told ? `; and ${keys.length - told} more` : ''
  return warn(
    'keys',
    `${count(keys.length, 'key ends soon or is', 'keys end soon or are')} too old: ${names.join('; ')}${more}.`,
    'Make the next one, hand it out, and let the old one end: npx millrace key rotate KEY',
  )
}
