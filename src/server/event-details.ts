// Owns which details of a run's history are told to those who may not see payloads: by kind of event, and of a kind that stands nowhere here none.
import type { AccountEvent } from '../core/account-data.ts'

const again = ['as', 'redrive', 'reason', 'error', 'failed_at']
const approval = ['name', 'approval']
const callback = ['delivery', 'attempts', 'status', 'reason']
const cached = ['scope', 'key', 'run', 'computed_at']
const verified = ['schedule', 'firing', 'met', 'looks', 'at']

/**
 * What names things, counts them and says when; keys of runs, limits and cached values, which other answers tell as well. Left out are the values that steps
 * gave, stored and logged (of a redrive what was `forgotten`), what a verification found, keys of rows, and what people give a step with their decision.
 */
export const toldDetails: Readonly<Record<string, readonly string[]>> = {
  'run.triggered': [
    'by',
    ...['schedule', 'firing', 'slot', 'late_ms', 'kind'],
    ...['webhook', 'delivery'],
    ...['watch', 'operation', 'changes', 'transaction'],
    ...['event', 'id', 'subscription'],
  ],
  'run.took_place': ['of', 'rule'],
  'run.paused': ['reason'],
  'run.resumed': [],
  'run.prioritized': ['from', 'to'],
  'run.migrated': ['from', 'to'],
  'run.cancelled': ['reason', 'undo'],
  'run.undo_stopped': ['reason'],
  'run.continued': ['as'],
  'run.redriven': again,
  'run.forked': again,
  'run.rerun': again,
  'run.report_gap': ['from', 'to', 'count', 'refused', 'dropped'],
  'step.log': [],
  'step.aged': ['from', 'to', 'tasks'],
  'step.batched': ['size', 'items', 'attempts', 'with'],
  'limit.waited': ['limit', 'key'],
  'limit.opened': ['limit', 'key', 'until', 'probe'],
  'key.paused': ['key', 'failures'],
  'key.resumed': ['key'],
  'pipeline.paused': ['failures'],
  'schedule.paused': ['schedule', 'failures'],
  'firing.overdue': ['schedule', 'firing', 'deadline'],
  'firing.verified': verified,
  'firing.unverified': verified,
  'change.loop_cut': ['watch', 'changes'],
  'signal.received': ['name', 'wait', 'sent_at', 'to'],
  'approval.asked': [...approval, 'title', 'expires_at'],
  'approval.reminded': [...approval, 'title', 'expires_at'],
  'approval.delegated': [...approval, 'by', 'to'],
  'approval.decided': [...approval, 'by', 'decision'],
  'approval.expired': [...approval, 'otherwise'],
  'callback.delivered': callback,
  'callback.given_up': callback,
  'callback.disabled': callback,
  'callback.resent': ['delivery'],
  'cache.hit': cached,
  'cache.miss': cached,
  'artifact.written': ['name', 'type', 'size'],
  'secret.overdue': ['name', 'version', 'changed_at', 'max_age_seconds'],
}

/** The event with no more details than those that its kind may tell anybody. */
export function withoutPayloads({ detail, ...event }: AccountEvent): AccountEvent {
  const told = toldDetails[event.kind] ?? []
  return {
    ...event,
    detail: Object.fromEntries(Object.entries(detail).filter(([name]) => told.includes(name))),
  }
}
