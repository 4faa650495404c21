// Owns how the commands of webhooks work: over a client of their own, with the triggers and the key ring of the configuration; or over HTTP.
import { keysOfText, keysVariable } from '../../core/key-ring.ts'
import { type Client, connect } from '../../sdk/client.ts'
import type { Config } from '../../sdk/config.ts'
import type { Trigger } from '../../sdk/trigger.ts'
import type { Webhooks } from '../../sdk/webhooks.ts'
import type { ChosenDatabase } from '../database-choice.ts'
import { remoteWebhooks, type WebhookVerbs } from '../remote/webhook-verbs.ts'
import type { Session } from '../session.ts'

/** Over HTTP the server judges, by the triggers and with the keys that it has itself. */
export async function onWebhooks<T>(
  session: Session,
  work: (webhooks: WebhookVerbs, triggers: readonly Trigger[]) => Promise<T>,
): Promise<T> {
  return session.remote === undefined ? withWebhooks(session, work) : work(remoteWebhooks(session.remote), [])
}

async function withWebhooks<T>(
  session: Session,
  work: (webhooks: Webhooks, triggers: readonly Trigger[]) => Promise<T>,
): Promise<T> {
  const config = (await session.findConfig())?.config
  return session.withDatabase(async (database) => {
    const client = connectFor(session, config, database)
    try {
      return await work(client.webhooks, config?.triggers ?? [])
    } finally {
      await client.close()
    }
  })
}

/** With the key ring of the configuration, else of the environment. */
export function connectFor(
  { surroundings }: Session,
  config: Config | undefined,
  { url, directUrl }: Pick<ChosenDatabase, 'url' | 'directUrl'>,
): Client {
  return connect({
    database: url,
    ...(directUrl !== undefined && { directDatabase: directUrl }),
    encryptionKeys: config?.encryptionKeys ?? keysOfText(surroundings.environment[keysVariable]),
  })
}
