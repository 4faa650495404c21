// What applications do with approvals: list them, decide, and let others decide in somebody's place.
import type { ApprovalState } from '../core/state.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import { isUuid } from '../core/uuid.ts'
import {
  type ApprovalRow,
  decideApproval,
  type Decider,
  delegateApproval,
  listApprovals,
} from '../db/approvals.ts'
import type { Caller } from '../db/call.ts'
import { withoutPosition } from '../db/list-bounds.ts'

type RowNames = 'run_id' | 'created_at' | 'reminded_at' | 'expires_at' | 'decided_at'

/** A question that a run puts to people: who may decide, how many must approve, and how many have. */
export interface Approval extends Omit<ApprovalRow, RowNames> {
  readonly run: string
  readonly createdAt: Date
  readonly remindedAt: Date | null
  readonly expiresAt: Date | null
  readonly decidedAt: Date | null
}

export interface ApprovalFilter {
  /** `open` unless told; 'all' for every one. */
  readonly state?: ApprovalState | 'all'
  readonly run?: string
  /** 100 unless told. */
  readonly limit?: number
}

/** Who decides, where the application knows better than the database role that it connects as. */
export interface ActorOptions {
  readonly actor?: string
  /** The actor's roles. */
  readonly actorRoles?: readonly string[]
}

export interface DecideOptions extends ActorOptions {
  /** What the form asks for. */
  readonly value?: unknown
  readonly comment?: string
}

/** How an approval stands after a decision. */
export interface DecisionStanding {
  readonly state: ApprovalState
  readonly approvals: number
  readonly quorum: number
}

export class Approvals {
  readonly #open: () => Promise<Caller>

  constructor(open: () => Promise<Caller>) {
    this.#open = open
  }

  /** Approvals, the oldest first; those that are open unless told. */
  async list({ state = 'open', run, limit = 100 }: ApprovalFilter = {}): Promise<Approval[]> {
    const states = state === 'all' ? undefined : [state]
    const rows = await listApprovals(await this.#open(), { states, runId: run, limit })
    return rows.map(withoutPosition).map(approvalOf)
  }

  /**
   * Approves or rejects; each person decides once.
   *
   * @throws MillraceError approval_unknown, approval_closed, approval_forbidden, json_invalid
   */
  async decide(
    id: string,
    decision: 'approve' | 'reject',
    { value, comment, ...by }: DecideOptions = {},
  ): Promise<DecisionStanding> {
    const row = {
      decision,
      value: value === undefined ? null : checkJson(value, { what: 'the value of the decision' }),
      comment: comment ?? null,
    }
    return decideApproval(await this.#open(), checkId(id), row, decider(by))
  }

  /** @throws MillraceError approval_unknown, approval_closed, approval_forbidden */
  async delegate(id: string, to: string, by: ActorOptions = {}): Promise<void> {
    await delegateApproval(await this.#open(), checkId(id), to, decider(by))
  }
}

function decider({ actor, actorRoles }: ActorOptions): Decider {
  return { actor: actor ?? null, actorRoles: actorRoles ?? null }
}

function checkId(id: string): string {
  if (isUuid(id)) return id
  throw new MillraceError('approval_unknown', `'${id.slice(0, 100)}' is no approval's id.`, {
    fields: { approval: id },
  })
}

function approvalOf(row: ApprovalRow): Approval {
  const { run_id, created_at, reminded_at, expires_at, decided_at, ...same } = row
  const times = {
    createdAt: created_at,
    remindedAt: reminded_at,
    expiresAt: expires_at,
    decidedAt: decided_at,
  }
  return { ...same, run: run_id, ...times }
}
