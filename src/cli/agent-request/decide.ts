// millrace agent-request approve, reject: a person decides what an agent asked for.
import { Command } from 'commander'
import { printableJson } from '../../core/printable.ts'
import { text } from '../option-values.ts'
import { withApi } from '../own-api.ts'
import type { CurrentSession } from '../session.ts'
import { agentRequestIdOf } from './request-id.ts'

interface Choices {
  readonly comment?: string
}

export function approveCommand(current: CurrentSession): Command {
  return deciding('approve', 'approve what an agent asked for, and carry it out in your name').action(
    async (id: string, { comment }: Choices) => {
      const { terminal } = current()
      const call = { params: { agent_request: agentRequestIdOf(id) }, body: bodyOf(comment) }
      const request = await withApi(current(), (client) => client.approveAgentRequest(call))
      terminal.answer(request)
      terminal.print(`${request.operation} is done. It answered: ${printableJson(request.answer)}`)
    },
  )
}

export function rejectCommand(current: CurrentSession): Command {
  return deciding('reject', 'reject what an agent asked for').action(
    async (id: string, { comment }: Choices) => {
      const { terminal } = current()
      const call = { params: { agent_request: agentRequestIdOf(id) }, body: bodyOf(comment) }
      const request = await withApi(current(), (client) => client.rejectAgentRequest(call))
      terminal.answer(request)
      terminal.print(`Request ${request.id} is rejected, and nothing was done.`)
    },
  )
}

function deciding(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<request>', 'the id of the request')
    .option('--comment <text>', 'why; the agent reads it', text('--comment'))
}

function bodyOf(comment: string | undefined): { readonly comment?: string } {
  return comment === undefined ? {} : { comment }
}
