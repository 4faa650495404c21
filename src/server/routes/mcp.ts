// The route of MCP over HTTP.
import { serveMcp } from '../../api/agent-requests.ts'
import { MillraceError } from '../../core/errors.ts'
import { readBody } from '../body.ts'
import type { ToolHandler } from '../mcp/tool-handler.ts'
import { type Route, route } from '../route.ts'

/** @param offered the routes whose operations may become tools */
export function mcpRoutes(offered: readonly Route[]): readonly Route[] {
  // With the first agent: the library and the schemas of all tools take their time, and most servers start without one.
  let answering: Promise<ToolHandler> | undefined
  return [
    route(serveMcp, async (call) => {
      const message = await messageOf(call.request)
      answering ??= import('../mcp/tool-handler.ts').then(({ createToolHandler }) =>
        createToolHandler(offered),
      )
      return (await answering)(call, message)
    }),
  ]
}

/** One message a request: a list of them would pass the limit on requests as one. @throws MillraceError request_invalid */
async function messageOf(request: Request): Promise<unknown> {
  const message = await readBody(request, serveMcp)
  if (!Array.isArray(message)) return message
  throw new MillraceError('request_invalid', 'The body is not valid: it is one message, and no list of them.')
}
