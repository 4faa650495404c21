// Tests of addresses: as whom a sender is counted, and in which networks it is.
import { expect, test } from 'vitest'
import { isInRanges, isIpRange, networkOf } from './ip-ranges.ts'

test('whoever has a network of IPv6 is one sender, in whichever zone, and an IPv4-mapped one is IPv4', () => {
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe(networkOf('2001:db8:1:2:ffff::1'))
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'))
  expect(networkOf('fe80::1%eth0')).toBe(networkOf('fe80::2%eth1'))
  expect(networkOf('::ffff:203.0.113.1')).toBe('203.0.113.1')
})

test('what is no address counts as itself, and no longer than an address can be', () => {
  expect(networkOf('unknown')).toBe('unknown')
  expect(networkOf('x'.repeat(1_000))).toHaveLength(100)
})

test('an IPv4-mapped network holds what the network of IPv4 holds', () => {
  const ranges = ['::ffff:203.0.113.0/120', '::ffff:c633:6400/126', '::ffff:192.0.2.7']
  expect(ranges.every(isIpRange)).toBe(true)
  for (const inside of ['203.0.113.9', '::ffff:203.0.113.9', '198.51.100.3', '192.0.2.7', '::ffff:192.0.2.7'])
    expect([inside, isInRanges(inside, ranges)]).toEqual([inside, true])
  for (const outside of ['203.0.114.9', '::ffff:203.0.114.9', '198.51.100.4', '192.0.2.8'])
    expect([outside, isInRanges(outside, ranges)]).toEqual([outside, false])
  expect(isInRanges('192.0.2.7', ['::ffff:0:0/96'])).toBe(true)
})

test('an IPv4-mapped network that is wider than all of IPv4 is none: nobody would be in it', () => {
  expect(isIpRange('::ffff:203.0.113.0/95')).toBe(false)
  expect(['::/0', '2001:db8::/32', '10.0.0.0/8'].map(isIpRange)).toEqual([true, true, true])
  expect(['10/8', '010.0.0.0/8', '10.0.0', 'host', '10.0.0.0/33', ''].filter(isIpRange)).toEqual([])
})
