// Owns the words for the states of runs, steps, approvals and workers, and for the outcomes of attempts: each list stands once.

export const runStates = ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'] as const
export type RunState = (typeof runStates)[number]

export const stepStates = [
  'pending',
  'ready',
  'running',
  'waiting',
  'completed',
  'failed',
  'skipped',
  'cancelled',
] as const
export type StepState = (typeof stepStates)[number]

export const attemptOutcomes = [
  'completed',
  'failed',
  'released',
  'reclaimed',
  'skipped',
  'cancelled',
  'parked',
] as const
export type AttemptOutcome = (typeof attemptOutcomes)[number]

export const approvalStates = ['open', 'approved', 'rejected', 'expired', 'cancelled'] as const
export type ApprovalState = (typeof approvalStates)[number]

/** What became of what an agent asked people for. */
export const agentRequestStates = ['open', 'approved', 'rejected', 'failed', 'expired'] as const
export type AgentRequestState = (typeof agentRequestStates)[number]

/** What a durable operation is, and so what is stored of it. */
export const checkpointKinds = [
  'run',
  'sleep',
  'signal',
  'approval',
  'call',
  'http',
  'now',
  'random',
  'uuid',
] as const
export type CheckpointKind = (typeof checkpointKinds)[number]

/** Of a dead letter that was ordered to be redriven: not looked at yet, given fresh attempts, or refused for a reason. */
export const redriveItemStates = ['open', 'done', 'refused'] as const

/** What became of a request to a webhook. */
export const deliveryStates = ['accepted', 'filtered', 'refused', 'failed'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/** What a pipeline made of a delivery. */
export const deliveryOutcomes = ['started', 'coalesced', 'live', 'limit', 'paused'] as const
export type DeliveryOutcome = (typeof deliveryOutcomes)[number]

/** What became of a time of a schedule. */
export const firingStates = [
  'queued',
  'started',
  'skipped',
  'missed',
  'completed',
  'failed',
  'verified',
  'unverified',
] as const
export type FiringState = (typeof firingStates)[number]

export const workerStates = ['starting', 'idle', 'running', 'paused', 'draining', 'gone'] as const

const finalStates: ReadonlySet<string> = new Set(['completed', 'failed', 'skipped', 'cancelled'])

/** Whether a run or step in this state has ended; a redrive alone takes it back from `failed`. */
export function isFinal(state: RunState | StepState): boolean {
  return finalStates.has(state)
}
