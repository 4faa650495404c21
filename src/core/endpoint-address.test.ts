// Which addresses of endpoints can be asked, and that what is wrong with one does not quote it.
import { expect, test } from 'vitest'
import { addressFault } from './endpoint-address.ts'

test.each(['http://127.0.0.1:1/a?key=x', 'https://example.com', 'https://example.com/@a:b'])(
  '%s can be asked',
  (url) => {
    expect(addressFault(url)).toBeUndefined()
  },
)

test.each([
  undefined,
  42,
  '',
  'hunter2',
  '//example.com/hunter2',
  'user:hunter2@example.com',
  'data:,hunter2',
  'https://user:hunter2@example.com',
  'https://hunter2@example.com',
  'https://:hunter2@example.com',
])('%s cannot be asked', (url) => {
  const fault = addressFault(url)
  expect(fault).toMatch(/`url`/)
  expect(fault).not.toContain('hunter2')
})
