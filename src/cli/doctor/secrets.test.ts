// What a doctor thinks of secrets, from the facts alone.
import { expect, test } from 'vitest'
import { checkSecrets } from './secrets.ts'

const now = new Date(Date.UTC(2026, 10, 22, 12))
const secret = {
  name: 'hooks/shop',
  source: 'table',
  reference: null,
  version: 1,
  max_age_seconds: null,
  changed_at: now,
  is_overdue: false,
  last_read_at: null,
  last_read_run: null,
  last_read_step: null,
} as const

test('a webhook whose secret does not exist is named, with the command that makes it', () => {
  const shop = { name: 'shop', secrets: ['hooks/shop', 'hooks/former'], retired_at: null }
  expect(checkSecrets([], [shop], now)).toMatchObject({
    level: 'warn',
    message: "Webhook 'shop' takes no delivery: its secret 'hooks/shop' does not exist.",
    remedy: 'Make it with: npx millrace webhook rotate shop',
  })
  expect(checkSecrets([secret], [shop], now).level).toBe('ok')
  expect(checkSecrets([], [{ ...shop, retired_at: now }], now).level).toBe('ok')
})
