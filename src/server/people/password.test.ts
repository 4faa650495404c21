// What a password has to be.
import { expect, test } from 'vitest'
import { checkNewPassword } from './password.ts'

const check = (password: string) => checkNewPassword(password, () => Promise.resolve(false))

test('a password has 12 to 256 characters, counted as people count them and not as UTF-16 does', async () => {
  const length = { code: 'password_refused', fields: { reason: 'length' } }
  await expect(check('🦉'.repeat(11))).rejects.toMatchObject(length)
  await check('🦉'.repeat(12))
  await check('🦉'.repeat(256))
  await expect(check('🦉'.repeat(257))).rejects.toMatchObject(length)
  await expect(check('a'.repeat(11))).rejects.toMatchObject(length)
})
