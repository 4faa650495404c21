// Owns the words for what belongs to a pipeline or to a tenant, by which a key that is bound to one is let through to it.

export type OwnedKind =
  | 'run'
  | 'pipeline'
  | 'approval'
  | 'redrive'
  | 'schedule'
  | 'watch'
  | 'subscription'
  | 'callback'
