// The signature of what is sent, by Standard Webhooks 1.0 (standardwebhooks.com): symmetric, version v1.
import { createHmac } from 'node:crypto'

const secretPrefix = 'whsec_'

/** The headers of one attempt. A secret that begins with whsec_ is base64, as the standard writes it; any other is taken as it is. */
export function signedHeaders(
  { id, sentAt, body }: { readonly id: string; readonly sentAt: Date; readonly body: string },
  secret: string,
): Record<string, string> {
  const timestamp = Math.floor(sentAt.getTime() / 1_000)
  const key = secret.startsWith(secretPrefix)
    ? Buffer.from(secret.slice(secretPrefix.length), 'base64')
    : Buffer.from(secret, 'utf8')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  }
}
