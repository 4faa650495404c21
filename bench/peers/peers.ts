// The peers by their names; a file each.
import type { Peer } from './peer.ts'
import type { PeerName } from './peer-names.ts'

const files: Readonly<Record<PeerName, () => Promise<{ readonly peer: Peer }>>> = {
  floor: () => import('./floor.ts'),
  millrace: () => import('./millrace.ts'),
  'pg-boss': () => import('./pg-boss.ts'),
  'graphile-worker': () => import('./graphile-worker.ts'),
  bullmq: () => import('./bullmq.ts'),
  'bullmq-postgres': () => import('./bullmq-postgres.ts'),
  dbos: () => import('./dbos.ts'),
  absurd: () => import('./absurd.ts'),
  openworkflow: () => import('./openworkflow.ts'),
  restate: () => import('./restate.ts'),
}

export async function loadPeer(name: PeerName): Promise<Peer> {
  return (await files[name]()).peer
}
