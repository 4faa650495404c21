// Owns how a command line names a request of an agent.
import { MillraceError } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'

/** @throws MillraceError command_invalid */
export function agentRequestIdOf(given: string): string {
  const id = given.trim().toLowerCase()
  if (isUuid(id)) return id
  throw new MillraceError('command_invalid', `'${given.slice(0, 60)}' is no id of a request.`, {
    hint: 'List them with: npx millrace agent-request list',
  })
}
