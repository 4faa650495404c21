// The names of the peers that commands take. They stand apart from the peers, whose packages only the benchmark has.
export const peerNames = [
  'floor',
  'millrace',
  'pg-boss',
  'graphile-worker',
  'bullmq',
  'bullmq-postgres',
  'dbos',
  'absurd',
  'openworkflow',
  'restate',
] as const

export type PeerName = (typeof peerNames)[number]
