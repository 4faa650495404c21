// millrace agent-request show: all that an agent asks for, before somebody decides.
import { Command } from 'commander'
import type { AgentRequest } from '../../api/agent-requests.ts'
import { printableJson } from '../../core/printable.ts'
import { withApi } from '../own-api.ts'
import type { CurrentSession, Session } from '../session.ts'
import { agentRequestIdOf } from './request-id.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show what an agent asks for, who decided, and what came of it')
    .argument('<request>', 'the id of the request')
    .action(async (id: string) => {
      const session = current()
      const params = { agent_request: agentRequestIdOf(id) }
      const request = await withApi(session, (client) => client.showAgentRequest({ params }))
      session.terminal.answer(request)
      printRequest(session, request)
    })
}

function printRequest({ terminal }: Session, request: AgentRequest): void {
  const given = { ...request.params, ...request.query, ...(request.body as object | null) }
  terminal.print(`Request ${request.id} of ${request.asked_by} is ${request.state}.`)
  terminal.print(`It asks for ${request.operation}: ${request.summary}`)
  // As JSON: what an agent gives along is no text for a terminal.
  for (const [name, value] of Object.entries(given)) terminal.print(`  ${name}: ${printableJson(value)}`)
  if (request.why !== null) terminal.print(`It says why: ${printableJson(request.why)}`)
  if (request.decided_by !== null)
    terminal.print(`Decided by ${request.decided_by} at ${request.decided_at}.`)
  if (request.error !== null) terminal.print(`It could not be carried out: ${request.error.message}`)
  if (request.answer !== null) terminal.print(`It answered: ${printableJson(request.answer)}`)
  if (request.state === 'open') terminal.print(`It expires at ${request.expires_at}.`)
}
