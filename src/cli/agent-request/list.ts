// millrace agent-request list: what agents have asked people for.
import { Command, Option } from 'commander'
import type { AgentRequest } from '../../api/agent-requests.ts'
import { type AgentRequestState, agentRequestStates } from '../../core/state.ts'
import { wholeNumber } from '../option-values.ts'
import { withApi } from '../own-api.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly state: AgentRequestState | 'all'
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list what agents have asked people for, the newest first')
    .addOption(
      new Option('--state <state>', 'only those in this state')
        .choices([...agentRequestStates, 'all'])
        .default('open'),
    )
    .option('--limit <n>', 'at most so many, up to 200', wholeNumber('--limit', 1, 200), 20)
    .action(async ({ state, limit }: Choices) => {
      const session = current()
      const { items } = await withApi(session, (client) =>
        client.listAgentRequests({ query: { limit, ...(state === 'all' ? {} : { state }) } }),
      )
      session.terminal.answer(items)
      if (items.length > 0) printTable(session.terminal, columns(), items)
      else
        session.terminal.print(state === 'open' ? 'No agent asks for anything.' : 'There is no such request.')
    })
}

function columns(): Column<AgentRequest>[] {
  const now = new Date()
  return [
    { title: 'request', cell: ({ id }) => id, whole: true },
    { title: 'asks for', cell: ({ operation, params }) => [operation, ...Object.values(params)].join(' ') },
    { title: 'state', cell: ({ state }) => state, whole: true },
    { title: 'age', cell: ({ asked_at }) => age(new Date(asked_at), now), whole: true, side: 'right' },
  ]
}
