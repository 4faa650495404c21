// Approvals as a step asks for them, and as it gets what was decided.
import { durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import type { ApprovalRequest } from '../db/waits.ts'
import type { ApprovalOptions, Decision } from '../sdk/durable.ts'
import type { Schema } from '../sdk/standard-schema.ts'
import { checked } from './signals.ts'

/** What the database is told of a question to people. @throws MillraceError duration_invalid, json_invalid */
export function approvalWait(options: ApprovalOptions): {
  ms: number | undefined
  approval: ApprovalRequest
} {
  const { title, data, roles, people, quorum, form, remind, expires, otherwise } = options
  return {
    ms: expires === undefined ? undefined : durationMs(expires, 'The expires of an approval'),
    approval: {
      title,
      data: data === undefined ? undefined : JSON.parse(checkJson(data, { what: 'the data of an approval' })),
      roles,
      people,
      quorum,
      form: form === undefined ? undefined : jsonSchemaOf(form),
      remind_ms: remind === undefined ? undefined : durationMs(remind, 'The remind of an approval'),
      otherwise,
    },
  }
}

/** @throws MillraceError approval_expired, approval_cancelled, signal_invalid */
export async function decisionOf(
  stored: unknown,
  name: string,
  { form }: ApprovalOptions,
): Promise<Decision> {
  const { state, by, value, comment } = stored as {
    state: string
    by: string[]
    value: unknown
    comment: string | null
  }
  if (state !== 'approved' && state !== 'rejected') {
    const ended = state === 'expired' ? 'expired before anybody decided' : 'was closed without a decision'
    throw new MillraceError(
      state === 'expired' ? 'approval_expired' : 'approval_cancelled',
      `The approval '${name}' ${ended}.`,
      { fields: { approval: name } },
    )
  }
  // Nobody fills in the form of an approval that time gave.
  const filled = state === 'approved' && by.length > 0
  return {
    state,
    by,
    comment,
    value: filled ? await checked(value, form, `approval '${name}'`) : (value ?? null),
  }
}

/** What programs that show the form read; a schema whose library writes no JSON Schema is checked all the same, when the step goes on. */
function jsonSchemaOf(form: Schema): unknown {
  const standard = form['~standard'] as {
    readonly jsonSchema?: { input(options: { readonly target: string }): unknown }
  }
  try {
    return standard.jsonSchema?.input({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
}
