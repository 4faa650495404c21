// Owns the decision where a server may listen: on this machine freely, elsewhere only behind TLS.
import dns from 'node:dns/promises'
import { MillraceError } from '../core/errors.ts'
import { isInRanges, loopbackRanges } from '../core/ip-ranges.ts'

export interface Exposure {
  readonly host: string
  readonly tls: boolean
  readonly trustedProxies: readonly string[]
  /** Whoever comes is signed in by itself. */
  readonly dev: boolean
}

/**
 * Lets through what is on the loopback address, and what comes over TLS, of its own or of a proxy that was declared.
 *
 * @throws MillraceError server_exposed
 */
export async function refuseExposure({ host, tls, trustedProxies, dev }: Exposure): Promise<void> {
  if (await isLoopback(host)) return
  if (dev)
    throw exposed(
      host,
      'In dev whoever comes is signed in as an admin, so that it listens on this machine alone.',
    )
  if (tls || trustedProxies.length > 0) return
  throw exposed(
    host,
    'Keys and passwords would travel in the clear: give server.tls, or declare the proxy that ends TLS with server.trustedProxies.',
  )
}

/** Whether all that a name or an address stands for is this machine. A name that is not known is no reason to trust it. */
async function isLoopback(host: string): Promise<boolean> {
  const found = await dns.lookup(host, { all: true }).catch(() => [])
  return found.length > 0 && found.every(({ address }) => isInRanges(address, loopbackRanges))
}

function exposed(host: string, why: string): MillraceError {
  return new MillraceError(
    'server_exposed',
    `The server would listen on ${host}, where others reach it. ${why}`,
    {
      fields: { host },
    },
  )
}
