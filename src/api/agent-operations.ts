// Owns which operations agents may use, and which of them a person is asked for first.
import type { Scope } from './access.ts'
import type { Operation } from './operation.ts'

/**
 * By scope, whether agents have its operations: those that read as they are, those that change something through a request. What is left out is for
 * people and their programs: secrets, people, keys, decisions, erasing, and the work of steps.
 */
const isForAgents: Readonly<Record<Scope, boolean>> = {
  'runs:read': true,
  'runs:start': true,
  'runs:write': true,
  'steps:execute': false,
  'payloads:read': true,
  'signals:send': true,
  'approvals:decide': false,
  'pipelines:read': true,
  'pipelines:write': true,
  'triggers:read': true,
  'triggers:write': true,
  'limits:read': true,
  'limits:write': true,
  'secrets:read': true,
  'secrets:write': false,
  'workers:read': true,
  'workers:write': true,
  'people:read': false,
  'people:write': false,
  'keys:read': false,
  'keys:write': false,
  'audit:read': true,
  'metrics:read': false,
  'data:erase': false,
}

/** Whether an agent may use an operation at all. */
export function isAgentOperation({ access, answersOnce }: Operation): boolean {
  return access !== 'public' && access.scope !== null && isForAgents[access.scope] && answersOnce !== true
}

/** Whether an operation is asked of a person first: all but what reads, whatever its method is. */
export function asksFirst({ method, access }: Operation): boolean {
  return method !== 'get' && access !== 'public' && access.scope?.endsWith(':read') !== true
}
