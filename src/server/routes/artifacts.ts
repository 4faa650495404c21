// The routes of artifacts. Their bytes come from whoever wrote them, so a browser that gets them is told to run and show nothing of them.
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { type ArtifactRow, listArtifacts } from '../../db/artifacts.ts'
import { type Route, route } from '../route.ts'

export const artifactRoutes: readonly Route[] = [
  route(operations.listArtifacts, async ({ params, room }) => {
    const rows = await listArtifacts(room.reads, params.run)
    return { items: rows.map(told) }
  }),

  route(operations.readArtifact, async ({ params, actor, room }) => {
    if (!actor.payloads)
      throw new MillraceError('not_allowed', 'You may not do this. It takes the right to see payloads.')
    const artifact = await room.client.run(params.run).artifact(params.artifact)
    return new Response(artifact.web(), {
      headers: {
        'content-type': artifact.type,
        'content-length': String(artifact.size),
        'content-disposition': attachment(artifact.artifact),
        'x-content-type-options': 'nosniff',
        'content-security-policy': "sandbox; default-src 'none'",
        'cache-control': 'no-store',
        etag: `"${artifact.sha256}"`,
      },
    })
  }),
]

/** Where its bytes lie is of the inside. */
function told(row: ArtifactRow) {
  const { run_id: run, name: artifact, id: _, store: __, location: ___, ...rest } = row
  return { run, artifact, ...rest }
}

/** RFC 6266: a name for every browser, and the whole name for those that know how it is written. */
function attachment(name: string): string {
  const plain = name.replaceAll(/[^\w.-]/g, '_')
  const whole = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`
}
