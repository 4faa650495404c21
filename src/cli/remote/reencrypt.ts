// Owns encrypting anew over HTTP: batch by batch, with the key ring of the server.
import type { HttpClient } from '../../client/http-client.ts'
import { leftMax, type ReencryptedPayloads } from '../../sdk/key-rotation.ts'
import { given } from './statements.ts'

export async function remoteReencrypt(
  client: HttpClient,
  runsPerBatch: number,
): Promise<ReencryptedPayloads> {
  const left: ReencryptedPayloads['left'][number][] = []
  let [values, secrets] = [0, 0]
  let after: string | null = null
  for (;;) {
    const answer: Awaited<ReturnType<HttpClient['reencrypt']>> = await client.reencrypt({
      body: { runs_per_batch: runsPerBatch, ...given({ after }) },
    })
    values += answer.values
    secrets += answer.secrets
    left.push(...answer.left.slice(0, leftMax - left.length))
    after = answer.next
    if (after === null) return { key: answer.key, values, secrets, left }
  }
}
