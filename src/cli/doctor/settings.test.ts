// What a doctor thinks of the settings, from the facts alone.
import { expect, test } from 'vitest'
import { checkSettings } from './settings.ts'

const days = { name: 'retention_days', lowest: 1, highest: 36_500 }
const missing = { ...days, written: null, number: null, is_clear: false }

test('a number that nobody gave clearly is told, with what counts in its place', () => {
  expect(checkSettings([{ ...days, written: '30', number: 30, is_clear: true }])).toMatchObject({
    level: 'ok',
  })
  expect(checkSettings([missing])).toMatchObject({
    level: 'warn',
    message:
      'retention_days in millrace.setting is missing, and should be a whole number from 1 to 36,500: no history is dropped by its age.',
    remedy: expect.stringContaining("values ('retention_days', '30')"),
  })
  const life = { ...days, name: 'key_days_max', lowest: 0, written: '-1', number: 90, is_clear: false }
  const told = checkSettings([{ ...missing, written: '90.5' }, life])
  expect(told.message).toMatch(/setting is 90\.5, .* key_days_max .* is -1, .*: 90 counts\.$/)
})
