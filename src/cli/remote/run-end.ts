// Owns waiting for a run over HTTP: for its end, and for the parts of its stream until then.
import type { HttpClient } from '../../client/http-client.ts'
import { outputOf } from '../../sdk/result.ts'
import type { StreamPart } from '../../sdk/run-stream.ts'

/** How long one request waits. */
const waitSeconds = 60

/** Its output, once it has ended. @throws MillraceError run_failed, run_cancelled, run_unknown */
export async function remoteResult(client: HttpClient, run: string): Promise<unknown> {
  const params = { run }
  let result = await client.runResult({ params })
  while (!result.ended) result = await client.runResult({ params, query: { wait_seconds: waitSeconds } })
  const { state, output, error } = result
  const { pipeline } = await client.showRun({ params })
  return outputOf(run, { slug: pipeline, state, output, error })
}

/** The parts of its stream from a position on, until it has ended. @throws MillraceError run_unknown */
export async function* remoteParts(
  client: HttpClient,
  run: string,
  from: number,
): AsyncGenerator<StreamPart, void, undefined> {
  for await (const { event, data } of client.followRun({ params: { run } })) {
    if (event !== 'part') continue
    const {
      written_at,
      payloads_hidden: _,
      ...part
    } = data as Omit<StreamPart, 'writtenAt'> & {
      readonly written_at: string
      readonly payloads_hidden?: boolean
    }
    if (part.position >= from) yield { ...part, writtenAt: new Date(written_at) }
  }
}
