// Owns what each answer says of a key that ends soon or is older than keys should become: who uses it sees it before it is refused.
import type { Guard } from './guard.ts'

export const keyWarningGuard: Guard = async ({ signedIn }, next) => {
  const response = await next()
  const key = signedIn?.key
  if (key !== undefined && key.warning !== null)
    response.headers.set('millrace-key-warning', `${key.warning}; expires=${key.expiresAt.toISOString()}`)
  return response
}
