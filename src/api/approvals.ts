// The operations on approvals: questions that runs put to people.
import { z } from 'zod'
import { approvalStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { json, pageOf, pageQuery, payloadsHidden, time, uuid } from './values.ts'

const approval = z
  .object({
    id: uuid,
    run_id: uuid,
    pipeline: z.string(),
    step: z.string(),
    item: z.int().nullable(),
    name: z.string(),
    state: z.enum(approvalStates),
    title: z.string().nullable(),
    data: json,
    roles: z.array(z.string()),
    people: z.array(z.string()),
    quorum: z.int(),
    approvals: z.int().describe('How many have approved.'),
    form: json.describe('The JSON Schema of what an approval brings along.'),
    created_at: time,
    reminded_at: time.nullable(),
    expires_at: time.nullable(),
    decided_at: time.nullable(),
    payloads_hidden: payloadsHidden,
  })
  .meta({ id: 'Approval' })

const approvalParams = z.object({ approval: uuid })

const listApprovals = operation({
  name: 'listApprovals',
  method: 'get',
  path: '/approvals',
  tag: 'approvals',
  summary: 'List approvals, the oldest first.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({
    ...pageQuery,
    state: z.enum([...approvalStates, 'all']).default('open'),
    run: uuid.optional(),
  }),
  answer: pageOf(approval),
})

const showApproval = operation({
  name: 'showApproval',
  method: 'get',
  path: '/approvals/{approval}',
  tag: 'approvals',
  summary: 'Show an approval.',
  access: { scope: 'runs:read', role: 'viewer', subject: 'approval' },
  params: approvalParams,
  answer: approval,
  errors: ['approval_unknown'],
})

const decideApproval = operation({
  name: 'decideApproval',
  method: 'post',
  path: '/approvals/{approval}/decide',
  tag: 'approvals',
  summary: 'Approve or reject, once a person: whoever it names, or has one of its roles, may.',
  access: { scope: 'approvals:decide', role: 'operator', subject: 'approval' },
  params: approvalParams,
  body: z.strictObject({
    decision: z.enum(['approve', 'reject']),
    value: json.optional().describe('What the form asks for.'),
    comment: z.string().max(1_000).optional(),
  }),
  answer: z.object({ state: z.enum(approvalStates), approvals: z.int(), quorum: z.int() }),
  errors: ['approval_unknown', 'approval_closed', 'approval_forbidden', 'json_invalid', 'json_too_large'],
})

const delegateApproval = operation({
  name: 'delegateApproval',
  method: 'post',
  path: '/approvals/{approval}/delegate',
  tag: 'approvals',
  summary: 'Let somebody else decide in one’s place.',
  access: { scope: 'approvals:decide', role: 'operator', subject: 'approval' },
  params: approvalParams,
  body: z.strictObject({
    to: z.string().min(1).max(200).describe('The name of somebody else, such as an address.'),
  }),
  errors: ['approval_unknown', 'approval_closed', 'approval_forbidden', 'argument_invalid'],
})

export const approvalOperations = { listApprovals, showApproval, decideApproval, delegateApproval } as const
