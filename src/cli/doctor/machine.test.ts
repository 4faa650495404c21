// What a doctor thinks of this machine's Node.
import { expect, test } from 'vitest'
import { checkNode } from './machine.ts'

test.each([
  ['20.18.9', 'fail'],
  ['18.20.0', 'fail'],
  ['20.19.0', 'ok'],
  ['22.1.0', 'ok'],
])('Node %s: %s', (version, level) => {
  expect(checkNode(version).level).toBe(level)
})
