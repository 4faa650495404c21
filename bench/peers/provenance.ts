// When and with what a row was measured, and what of that is another today.
import type { Kept, KeptPeer, KeptRow, MeasuredWith } from './kept.ts'
import { busyText } from './machine.ts'

/** A sentence for below the row. */
export function provenanceOf(kept: Kept, { day, measuredWith, busyShare }: KeptRow): string {
  const busy = busyShare === undefined ? '' : `; ${busyText(busyShare)}`
  if (measuredWith === undefined) return `Measured ${day}; with which commit and versions is unknown${busy}.`
  const others = differences(kept.peers, measuredWith.peers)
  const then = others.length === 0 ? '' : `, then with ${others.join('; ')}`
  return `Measured ${day} at ${checkoutText(measuredWith)}${then}${busy}.`
}

function checkoutText({ checkout }: MeasuredWith): string {
  if (checkout === undefined) return 'an unknown commit'
  return `${checkout.commit.slice(0, 7)}${checkout.hasChanges ? ' with changes' : ''}`
}

/** Of each peer whose version or settings have changed since, what they were. */
function differences(newest: Kept['peers'], then: MeasuredWith['peers']): string[] {
  return Object.entries(then).flatMap(([name, peer]) => {
    const now = newest[name]
    if (now === undefined) return [peer.version]
    const settings = changedSettings(peer, now)
    if (peer.version === now.version && settings.length === 0) return []
    return [[peer.version, ...settings].join(', ')]
  })
}

function changedSettings(then: Pick<KeptPeer, 'profiles'>, now: KeptPeer): string[] {
  return (['best', 'default'] as const).flatMap((profile) => {
    const text = then.profiles[profile]
    return text === undefined || text === now.profiles[profile] ? [] : [`set otherwise (${profile}: ${text})`]
  })
}
