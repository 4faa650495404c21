// Owns what a password has to be, and the form in which it is stored.
import { hash, verify } from '@node-rs/argon2'
import { MillraceError } from '../../core/errors.ts'
import type { BreachCheck } from './breach.ts'

/**
 * In code points, as NIST SP 800-63B-4 §3.1.1.2 counts, which asks for 15 where a password stands alone, for 8 beside another factor, and for nothing
 * on which characters they are. 12 is what OWASP ASVS 4.0.3 asks for (2.1.1): what is known from a leak is refused here, and tries are few, so that
 * length has to hold against guessing at a stolen hash alone, which argon2id makes dear.
 */
const lengthMin = 12
const lengthMax = 256

/** argon2id with the parameters of the OWASP Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

export function hashPassword(password: string): Promise<string> {
  return hash(password, cost)
}

/** False as well for what is no hash. */
export async function isPassword(stored: string, password: string): Promise<boolean> {
  return verify(stored, password).catch(() => false)
}

/** @throws MillraceError password_refused */
export async function checkNewPassword(password: string, isBreached: BreachCheck): Promise<void> {
  const { length } = Array.from(password)
  if (length < lengthMin || length > lengthMax)
    throw refused(`It has ${length} characters, and takes ${lengthMin} to ${lengthMax}.`, 'length')
  if (await isBreached(password))
    throw refused('It is known from a leak, so that it is among the first to be tried.', 'breached')
}

function refused(why: string, reason: 'length' | 'breached'): MillraceError {
  return new MillraceError('password_refused', `This password can't be taken. ${why}`, { fields: { reason } })
}
