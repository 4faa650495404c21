// millrace approval list: what runs ask of people.
import { Command, Option } from 'commander'
import { approvalStates, type ApprovalState } from '../../core/state.ts'
import { type ApprovalRow, listApprovals } from '../../db/approvals.ts'
import { withoutPosition } from '../../db/list-bounds.ts'
import { text, wholeNumber } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly state: ApprovalState | 'all'
  readonly run?: string
  readonly limit: number
}

const states = [...approvalStates, 'all'] as const

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list approvals, the oldest first')
    .addOption(new Option('--state <state>', 'only those in this state').choices(states).default('open'))
    .option('--run <id>', 'only those of this run', text('--run'))
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async ({ state, run, limit }: Choices) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) =>
        listApprovals(caller, {
          states: state === 'all' ? undefined : [state],
          runId: run === undefined ? undefined : runIdOf(run),
          limit,
        }),
      )
      session.terminal.answer(rows.map(withoutPosition))
      if (rows.length > 0) printTable(session.terminal, columns(state === 'open'), rows)
      else session.terminal.print(state === 'open' ? 'No approval is open.' : 'There is no such approval.')
    })
}

function columns(isOpen: boolean): Column<ApprovalRow>[] {
  const now = new Date()
  return [
    { title: 'approval', cell: ({ id }) => id, whole: true },
    { title: 'asks', cell: ({ title, name }) => title ?? name },
    { title: 'of', cell: whoWords },
    isOpen
      ? {
          title: 'has',
          cell: ({ approvals, quorum }) => `${approvals} of ${quorum}`,
          whole: true,
          side: 'right',
        }
      : { title: 'state', cell: ({ state }) => state, whole: true },
    { title: 'age', cell: ({ created_at }) => age(created_at, now), whole: true, side: 'right' },
  ]
}

function whoWords({ people, roles }: ApprovalRow): string {
  const who = [...people, ...roles.map((role) => `role ${role}`)]
  return who.length === 0 ? 'operators' : who.join(', ')
}
