// Owns how the commands of webhooks work: over a client of their own, with the triggers and the key ring of the configuration; or over HTTP.
import { keysOfText, keysVariable } from '../../core/key-ring.ts'
import { connect } from '../../sdk/client.ts'
import type { Trigger } from '../../sdk/trigger.ts'
import type { Webhooks } from '../../sdk/webhooks.ts'
import { remoteWebhooks, type WebhookVerbs } from '../remote/webhook-verbs.ts'
import type { Session } from '../session.ts'

/** Over HTTP the server judges, by the triggers and with the keys that it has itself. */
export async function onWebhooks<T>(
  session: Session,
  work: (webhooks: WebhookVerbs, triggers: readonly Trigger[]) => Promise<T>,
): Promise<T> {
  return session.remote === undefined ? withWebhooks(session, work) : work(remoteWebhooks(session.remote), [])
}

export async function withWebhooks<T>(
  session: Session,
  work: (webhooks: Webhooks, triggers: readonly Trigger[]) => Promise<T>,
): Promise<T> {
  const config = (await session.findConfig())?.config
  const encryptionKeys = config?.encryptionKeys ?? keysOfText(session.surroundings.environment[keysVariable])
  return session.withDatabase(async ({ url, directUrl }) => {
    const client = connect({
      database: url,
      ...(directUrl !== undefined && { directDatabase: directUrl }),
      encryptionKeys,
    })
    try {
      return await work(client.webhooks, config?.triggers ?? [])
    } finally {
      await client.close()
    }
  })
}
