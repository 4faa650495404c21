// Owns the tools of an agent over standard input and output: each use of one is a request to the API.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { agentHeader, agentWhyHeader } from '../api/agent-requests.ts'
import { operationList } from '../api/catalogue.ts'
import { baseOf } from '../client/http-client.ts'
import { sendableOf } from '../client/request.ts'
import { routeNamed } from '../client/routes.ts'
import { readPackageVersion } from '../db/schema-files.ts'
import { toolsOf, underTags } from '../server/mcp/tool.ts'
import { createToolServer, type RunTool } from '../server/mcp/tool-server.ts'
import type { Api } from './own-api.ts'
import type { Session } from './session.ts'
import { stopRequests } from './stop-requests.ts'

/** Until the agent closes its end, or the process is told to stop. */
export async function serveTools(
  session: Session,
  api: Api,
  only: readonly string[] | undefined,
): Promise<void> {
  const stop = stopRequests()
  const version = await readPackageVersion()
  const parts = {
    tools: underTags(toolsOf(operationList), only),
    run: runOver(api),
    version,
    random: randomBytes,
    failed: (error: unknown) => session.terminal.note(error instanceof Error ? error.message : String(error)),
  }
  const served = serveStdio(() => createToolServer(parts))
  try {
    await Promise.race([once(process.stdin, 'end'), stop.first])
  } finally {
    stop.close()
    await served.close()
  }
}

/** Each tool is one request, which says that an agent sends it. */
function runOver({ fetch, url, key }: Api): RunTool {
  const base = baseOf(url)
  return (operation, { why, ifRevision, ...request }, signal) => {
    const headers = {
      [agentHeader]: 'asks',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(why === undefined ? {} : { [agentWhyHeader]: encodeURIComponent(why) }),
    }
    const { url: address, ...init } = sendableOf({ base, headers }, routeNamed(operation.name), {
      ...request,
      ...(ifRevision === undefined ? {} : { ifRevision }),
    })
    return fetch(address, { ...init, redirect: 'manual', signal })
  }
}
