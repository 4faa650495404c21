// millrace mcp: operations as tools for an agent, over standard input and output.
import { Command, InvalidArgumentError } from 'commander'
import { operationList } from '../api/catalogue.ts'
import { MillraceError } from '../core/errors.ts'
import { withOwnApi } from './own-api.ts'
import type { CurrentSession } from './session.ts'

interface Choices {
  readonly act?: true
  readonly tags?: readonly string[]
}

export function mcpCommand(current: CurrentSession): Command {
  return new Command('mcp')
    .description('serve tools to an agent over stdin and stdout; what changes something asks a person first')
    .option('--act', 'let the agent change things on the database by itself; over HTTP its key says so')
    .option('--tags <tags>', 'only tools under these headings, with commas between: runs,schedules', tags)
    .action(async ({ act, tags: only }: Choices) => {
      const session = current()
      const server = session.chosenServer
      if (server !== undefined && act === true)
        throw new MillraceError('command_invalid', 'With a server, its key says whether an agent may act.', {
          hint: 'Leave out --act, and make the key for an agent that acts.',
        })
      // Only here: no other command needs the library.
      const { serveTools } = await import('./stdio-tools.ts')
      if (server === undefined)
        await withOwnApi(session, act === true ? 'acts' : 'asks', (api) => serveTools(session, api, only))
      else await serveTools(session, { fetch, ...server }, only)
    })
}

/** @throws InvalidArgumentError */
function tags(value: string): string[] {
  const given = value.split(',').map((tag) => tag.trim())
  const known = [...new Set(operationList.map(({ tag }) => tag))]
  const stranger = given.find((tag) => !known.includes(tag))
  if (stranger === undefined) return given
  throw new InvalidArgumentError(`There is no '${stranger}' among ${known.join(', ')}.`)
}
