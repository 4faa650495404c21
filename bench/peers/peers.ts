// The peers by the names that commands take; a file each.
import type { Peer } from './peer.ts'

const files = {
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

export type PeerName = keyof typeof files

export const peerNames = Object.keys(files) as PeerName[]

export async function loadPeer(name: PeerName): Promise<Peer> {
  return (await files[name]()).peer
}
