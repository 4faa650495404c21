// Who takes part: each peer in each of its profiles, and Millrace.
import type { Peer, Profile } from './peer.ts'
import { type PeerName, peerNames } from './peer-names.ts'
import { loadPeer } from './peers.ts'
import { isRedisInstalled } from './stores.ts'

export interface Contender {
  readonly peerName: PeerName
  readonly peer: Peer
  readonly profile: Profile
}

export async function contendersOf(
  chosen: readonly string[] | undefined,
  profiles: readonly Profile[],
): Promise<Contender[]> {
  const names = peerNames.filter((name) => chosen?.includes(name) ?? true)
  const all = await Promise.all(
    names.map(async (peerName) => {
      const peer = ableHere(await loadPeer(peerName))
      return profiles
        .filter((profile) => peer.profiles[profile] !== undefined)
        .map((profile) => ({ peerName, peer, profile }))
    }),
  )
  return all.flat()
}

/** Where its store is not installed, the table says so. */
function ableHere(peer: Peer): Peer {
  if (peer.store !== 'redis' || isRedisInstalled()) return peer
  return { ...peer, notHere: 'redis-server is not installed on the machine that measured' }
}
