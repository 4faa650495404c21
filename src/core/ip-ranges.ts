// Owns lists of addresses: networks as people write them, and whether an address lies in one of them.
import ipaddr from 'ipaddr.js'

/** This machine as it sees itself. */
export const loopbackRanges: readonly string[] = ['127.0.0.0/8', '::1']

/** Whether a text is an address or a network, such as 203.0.113.7 or 2001:db8::/32. */
export function isIpRange(text: string): boolean {
  return networkIn(text) !== undefined
}

/** Whether an address lies in one of the networks. An IPv4-mapped IPv6 address is the IPv4 address. */
export function isInRanges(address: string | undefined, ranges: readonly string[]): boolean {
  if (address === undefined || !ipaddr.isValid(address)) return false
  const own = ipaddr.process(address)
  return networksOf(ranges).some(
    ([network, bits]) => network.kind() === own.kind() && own.match(network, bits),
  )
}

type Network = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

// Each request asks for the same few lists: reading them anew would cost more than all else that is done for it.
const networksRead = new WeakMap<readonly string[], readonly Network[]>()

function networksOf(ranges: readonly string[]): readonly Network[] {
  const known = networksRead.get(ranges)
  if (known !== undefined) return known
  const read = ranges.flatMap((range) => {
    const network = networkIn(range)
    return network === undefined ? [] : [network]
  })
  networksRead.set(ranges, read)
  return read
}

/** How many bits of an IPv4-mapped IPv6 address stand before the IPv4 address (RFC 4291 §2.5.5.2). */
const mappedBits = 96

/**
 * The network that a text names; undefined of any other text. An IPv4-mapped one is the one of IPv4, as its senders are; one that is wider than all of
 * IPv4 is none, because nobody is in it.
 */
function networkIn(text: string): Network | undefined {
  if (!isWhole(text)) return undefined
  if (ipaddr.isValid(text)) {
    const own = ipaddr.process(text)
    return [own, own.kind() === 'ipv4' ? 32 : 128]
  }
  const [network, bits] = ipaddr.parseCIDR(text)
  if (!(network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress())) return [network, bits]
  return bits < mappedBits ? undefined : [network.toIPv4Address(), bits - mappedBits]
}

/** In other writings, 10/8 is 0.0.0.10/8 and 010.0.0.0/8 is 8.0.0.0/8. */
function isWhole(text: string): boolean {
  return ipaddr.isValid(text)
    ? ipaddr.IPv6.isValid(text) || ipaddr.IPv4.isValidFourPartDecimal(text)
    : ipaddr.isValidCIDR(text) && (text.includes(':') || ipaddr.IPv4.isValidCIDRFourPartDecimal(text))
}

/** As PostgreSQL's inet takes it, which knows no zones; null for what is no address. */
export function plainAddress(address: string | undefined): string | null {
  return address !== undefined && ipaddr.isValid(address)
    ? ipaddr.process(address).toString().replace(/%.*/, '')
    : null
}

/** As whom a sender is counted: whoever has an IPv6 address has 2^64 of them, its network (RFC 6177). What is no address is itself, cut short. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address.slice(0, 100)
  const own = ipaddr.process(address)
  if (own.kind() === 'ipv4') return own.toString()
  return ipaddr.IPv6.networkAddressFromCIDR(`${own.toString()}/64`).toString()
}

/**
 * Who sent a request that may have come through proxies: each that is trusted says in X-Forwarded-For, at its end, from whom it has it. What anybody
 * else wrote there is not believed.
 */
export function senderAddress(
  remote: string | undefined,
  forwarded: string | undefined,
  trusted: readonly string[],
): string | undefined {
  const hops = (forwarded ?? '').split(',').map((hop) => addressOf(hop.trim()))
  let sender = remote
  while (trusted.length > 0 && isInRanges(sender, trusted)) {
    const before = hops.pop()
    if (before === undefined || before === '') return sender
    sender = before
  }
  return sender
}

/** Without the port that some proxies add, which is another one with each connection: 203.0.113.9:50123, or [2001:db8::1]:50123. */
function addressOf(hop: string): string {
  const [, four, six] = /^(?:(\d+\.\d+\.\d+\.\d+):\d+|\[([^\]]+)\](?::\d+)?)$/.exec(hop) ?? []
  return four ?? six ?? hop
}
