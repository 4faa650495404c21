// The operations on what agents ask people for.
import { z } from 'zod'
import { agentRequestStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { json, pageOf, pageQuery, time, uuid } from './values.ts'

/** The header with which a program says that an agent acts by it: what changes something is asked of a person first. */
export const agentHeader = 'millrace-agent'

/** Beside it, percent-encoded: what the agent says it is good for. */
export const agentWhyHeader = 'millrace-agent-why'

const requestParams = z.object({ agent_request: uuid })
const comment = z.string().max(1_000).optional()

const agentRequest = z
  .object({
    id: uuid,
    state: z.enum(agentRequestStates),
    operation: z.string().describe('The verb: cancelRun.'),
    summary: z.string().describe('What it does, in one sentence.'),
    params: z.record(z.string(), z.string()),
    query: z.record(z.string(), z.string()),
    body: json.describe('What the agent gave along; null where payloads are hidden from you.'),
    why: z.string().nullable().describe('What the agent says it is good for.'),
    asked_by: z.string(),
    asked_at: time,
    expires_at: time,
    tenant: z.string().nullable(),
    pipeline: z.string().nullable(),
    run: uuid.nullable(),
    decided_by: z.string().nullable(),
    decided_at: time.nullable(),
    comment: z.string().nullable(),
    answer: json.describe('What the operation answered, once it is approved.'),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    payloads_hidden: z.boolean(),
  })
  .meta({ id: 'AgentRequest' })
export type AgentRequest = z.infer<typeof agentRequest>

/** What an operation answers, as 202, where a person is asked first. */
export const askedAnswer = z
  .object({
    agent_request: z.object({ id: uuid, state: z.literal('open'), created: z.boolean() }),
    detail: z.string(),
  })
  .meta({ id: 'AgentRequestAsked' })
export type AskedAnswer = z.infer<typeof askedAnswer>

/** Whether an answer says that a person was asked, and nothing is done yet. */
export function isAsked(status: number, answer: unknown): answer is AskedAnswer {
  return status === 202 && typeof answer === 'object' && answer !== null && 'agent_request' in answer
}

const listAgentRequests = operation({
  name: 'listAgentRequests',
  method: 'get',
  path: '/agent-requests',
  tag: 'agents',
  summary: 'List what agents have asked people for, the newest first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ ...pageQuery, state: z.enum(agentRequestStates).optional() }),
  answer: pageOf(agentRequest),
})

const showAgentRequest = operation({
  name: 'showAgentRequest',
  method: 'get',
  path: '/agent-requests/{agent_request}',
  tag: 'agents',
  summary: 'Show what an agent has asked for, who decided, and what came of it.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  params: requestParams,
  answer: agentRequest,
  errors: ['agent_request_unknown'],
})

const approveAgentRequest = operation({
  name: 'approveAgentRequest',
  ownIdempotency: 'handled',
  method: 'post',
  path: '/agent-requests/{agent_request}/approve',
  tag: 'agents',
  summary: 'Approve what an agent has asked for, and carry it out in your name.',
  access: { scope: 'approvals:decide', role: 'operator', subject: 'list' },
  params: requestParams,
  body: z.strictObject({ comment }),
  answer: agentRequest,
  errors: ['agent_request_unknown', 'agent_request_decided', 'agent_gone'],
})

const rejectAgentRequest = operation({
  name: 'rejectAgentRequest',
  method: 'post',
  path: '/agent-requests/{agent_request}/reject',
  tag: 'agents',
  summary: 'Reject what an agent has asked for.',
  access: { scope: 'approvals:decide', role: 'operator', subject: 'list' },
  params: requestParams,
  body: z.strictObject({ comment }),
  answer: agentRequest,
  errors: ['agent_request_unknown', 'agent_request_decided'],
})

export const serveMcp = operation({
  name: 'serveMcp',
  ownIdempotency: 'none',
  method: 'post',
  path: '/mcp',
  tag: 'agents',
  summary: 'Speak the Model Context Protocol: operations as tools, for agents.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({
    tags: z
      .string()
      .max(500)
      .transform((text) => text.split(','))
      .optional()
      .describe('Only tools under these headings, with commas between: runs,schedules.'),
  }),
  media: 'application/json',
})

export const agentOperations = {
  listAgentRequests,
  showAgentRequest,
  approveAgentRequest,
  rejectAgentRequest,
  serveMcp,
} as const
