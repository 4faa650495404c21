// Which IP addresses belong to the public internet: everything else is somebody's inside.
import ipaddr from 'ipaddr.js'

/** Public by number, and yet the door to a host's secrets: Azure's WireServer (learn.microsoft.com, "What is IP address 168.63.129.16?"). */
const insideCloud: ReadonlySet<string> = new Set(['168.63.129.16'])

/** Global unicast (RFC 4291 §2.4, IANA's registry): what lies outside was given to nobody on the internet. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')
/** For examples in documents (RFC 9637), younger than the library's table. */
const documentation = ipaddr.IPv6.parseCIDR('3fff::/20')

/**
 * Whether an address in its text form is one of the public internet.
 *
 * Not public: private, loopback, link-local, shared (CGNAT), multicast, reserved and documentation ranges of the registries of
 * RFC 6890; and IPv6 forms that carry an IPv4 address (mapped, translated, NAT64, 6to4, Teredo), because where they lead
 * is decided by a gateway. A text that is no address is not public.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address instanceof ipaddr.IPv4)
    return address.range() === 'unicast' && !insideCloud.has(address.toString())
  return (
    address.zoneId === undefined &&
    address.range() === 'unicast' &&
    address.match(globalUnicast) &&
    !address.match(documentation)
  )
}
