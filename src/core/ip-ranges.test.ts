// Tests of addresses: as whom a sender is counted.
import { expect, test } from 'vitest'
import { networkOf } from './ip-ranges.ts'

test('whoever has a network of IPv6 is one sender, in whichever zone, and IPv4 in its clothes is IPv4', () => {
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe(networkOf('2001:db8:1:2:ffff::1'))
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'))
  expect(networkOf('fe80::1%eth0')).toBe(networkOf('fe80::2%eth1'))
  expect(networkOf('::ffff:203.0.113.1')).toBe('203.0.113.1')
})

test('what is no address counts as itself, and no longer than an address can be', () => {
  expect(networkOf('unknown')).toBe('unknown')
  expect(networkOf('x'.repeat(1_000))).toHaveLength(100)
})
