// Owns MCP over HTTP: each tool is an operation, performed with the rights of whoever speaks, as an agent.
import { type AuthInfo, createMcpHandler } from '@modelcontextprotocol/server'
import { type Actor, reaches } from '../../api/access.ts'
import { agentWhyHeader } from '../../api/agent-requests.ts'
import type { Operation } from '../../api/operation.ts'
import { readPackageVersion } from '../../db/schema-files.ts'
import { perform } from '../perform.ts'
import { problemAnswer } from '../problem-answer.ts'
import type { Call, Route } from '../route.ts'
import { errorFacts } from '../server-log.ts'
import { type ToolRequest, toolsOf, underTags } from './tool.ts'
import { createToolServer, type RunTool } from './tool-server.ts'

/** None: the tools of a server don't change while it runs, and a stream that says so would only keep its connection. */
const subscriptionsMax = 0

/** Answers one message of whoever calls. */
export type ToolHandler = (call: McpCall, message: unknown) => Promise<Response>

/** @param offered the routes whose operations may become tools */
export function createToolHandler(offered: readonly Route[]): ToolHandler {
  const routeByName = new Map(offered.map((one) => [one.operation.name, one]))
  const tools = toolsOf(offered.map(({ operation }) => operation))
  const handler = createMcpHandler(
    async ({ authInfo }) => {
      const call = callOf(authInfo)
      return createToolServer({
        tools: underTags(tools, call.query.tags).filter(({ operation }) =>
          reachesOperation(call.actor, operation),
        ),
        run: runIn(call, routeByName),
        version: await readPackageVersion(),
        random: call.room.random,
        failed: (error) => tellFailure(call, error),
      })
    },
    { maxSubscriptions: subscriptionsMax },
  )
  return (call, message) =>
    handler.fetch(call.request, {
      authInfo: { token: '', clientId: call.actor.id, scopes: [], extra: { call } },
      parsedBody: message,
    })
}

type McpCall = Call<undefined, { readonly tags?: readonly string[] | undefined }>

function callOf(authInfo: AuthInfo | undefined): McpCall {
  return authInfo!.extra!.call as McpCall
}

/** What would be refused in any case isn't shown. What belongs to whom is judged where the tool is used. */
function reachesOperation({ role, scopes }: Actor, { access }: Operation): boolean {
  if (access === 'public') return false
  return (
    reaches(role, access.role) && (scopes === null || access.scope === null || scopes.includes(access.scope))
  )
}

/** In this process, the way that requests go: who speaks is an agent, and asks unless it may act. */
function runIn(call: McpCall, routeByName: ReadonlyMap<string, Route>): RunTool {
  const actor: Actor = { ...call.actor, agent: call.actor.agent ?? 'asks' }
  return async (operation, request, signal) => {
    try {
      const answer = await perform(call.room, routeByName.get(operation.name)!, actor, call.origin, {
        params: request.params,
        query: request.query,
        body: () => Promise.resolve(request.body ?? {}),
        ifRevision: request.ifRevision,
        idempotencyKey: undefined,
        request: requestFor(call.request, request, signal),
      })
      if (answer instanceof Response) return answer
      return operation.answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer)
    } catch (error) {
      return problemAnswer(error, call.origin.correlationId, call.room.log)
    }
  }
}

function requestFor({ url }: Request, { why }: ToolRequest, signal: AbortSignal): Request {
  return new Request(url, {
    signal,
    ...(why === undefined ? {} : { headers: { [agentWhyHeader]: encodeURIComponent(why) } }),
  })
}

function tellFailure({ room, origin }: McpCall, error: unknown): void {
  room.log({
    level: 'error',
    event: 'tool.failed',
    correlation_id: origin.correlationId,
    ...errorFacts(error),
  })
}
