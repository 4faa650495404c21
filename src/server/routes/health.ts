// The routes of health, metrics, and the description of the API.
import {
  checkHealth,
  checkLiveness,
  checkReadiness,
  describeApi,
  readMetrics,
  showReference,
  styleReference,
} from '../../api/health.ts'
import { operationList } from '../../api/catalogue.ts'
import { describeOperations } from '../../api/openapi.ts'
import { readPackageVersion } from '../../db/schema-files.ts'
import { referencePage, referencePolicy, referenceStyle } from '../reference.ts'
import { type Route, route } from '../route.ts'
import type { ServerRoom } from '../room.ts'

export const healthRoutes: readonly Route[] = [
  route(checkHealth, async ({ room }) => {
    const answer = await room.health.status()
    return told(answer, answer.status === 'green')
  }),

  route(checkLiveness, async () => ({ status: 'live' as const })),

  route(checkReadiness, async ({ room }) => {
    const answer = await room.health.readiness()
    return told(answer, answer.status === 'ready')
  }),

  route(readMetrics, async ({ room }) =>
    text(await room.metrics.text(await room.health.facts()), 'text/plain; version=0.0.4; charset=utf-8'),
  ),

  route(describeApi, async ({ room }) => text((await descriptionFor(room)).json, 'application/json')),

  route(showReference, async ({ room }) =>
    text((await descriptionFor(room)).page, 'text/html; charset=utf-8', {
      'content-security-policy': referencePolicy,
    }),
  ),

  route(styleReference, async () => text(referenceStyle, 'text/css; charset=utf-8')),
]

/** Health as programs that look at nothing but the status take it. */
function told(answer: object, isWell: boolean): Response {
  return Response.json(answer, { status: isWell ? 200 : 503, headers: { 'cache-control': 'no-store' } })
}

function text(body: string, type: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { headers: { 'content-type': type, 'cache-control': 'no-cache', ...headers } })
}

interface Texts {
  readonly json: string
  readonly page: string
}

const textsByPath = new Map<string, Promise<Texts>>()

/** Written once for each place at which it is mounted. */
function descriptionFor({ basePath }: ServerRoom): Promise<Texts> {
  const known = textsByPath.get(basePath)
  if (known !== undefined) return known
  const made = readPackageVersion().then((version) => {
    const description = describeOperations(operationList, { version, basePath })
    return { json: JSON.stringify(description), page: referencePage(description, basePath) }
  })
  textsByPath.set(basePath, made)
  return made
}
