// Owns an artifact that is read over HTTP: its bytes are held against its hash here as well.
import type { HttpClient } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import { listArtifacts } from '../../db/artifacts.ts'
import type { Caller } from '../../db/call.ts'
import { Artifact } from '../../sdk/artifacts.ts'

/** @throws MillraceError artifact_unknown */
export async function remoteArtifact(
  client: HttpClient,
  caller: Caller,
  run: string,
  artifact: string,
): Promise<Artifact> {
  const [row] = await listArtifacts(caller, run, { name: artifact })
  if (row === undefined)
    throw new MillraceError('artifact_unknown', `Run ${run} has no artifact '${artifact.slice(0, 200)}'.`, {
      fields: { runId: run, artifact },
    })
  return new Artifact(row, () => bytesOf(client.readArtifact({ params: { run, artifact } })))
}

async function* bytesOf(answer: Promise<Response>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* (await answer).body ?? []
}
