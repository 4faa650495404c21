// Owns how the commands of webhooks work: over a client of their own, with the triggers and the key ring of the configuration.
import { keysOfText, keysVariable } from '../../core/key-ring.ts'
import { connect } from '../../sdk/client.ts'
import type { Trigger } from '../../sdk/trigger.ts'
import type { Webhooks } from '../../sdk/webhooks.ts'
import type { Session } from '../session.ts'

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
