// Owns the look at schema and login before a command serves: what does not fit is refused before anybody is answered.
import { checkActing } from '../db/acting.ts'
import { clientCaller } from '../db/call.ts'
import { connectClient } from '../db/connection.ts'
import { checkSchema } from '../db/schema-check.ts'

/**
 * @param acts whether what is served is done in the name of whoever asks
 * @throws MillraceError schema_missing, schema_outdated, schema_newer, database_rights_missing, and those of connectClient
 */
export async function refuseSchema(url: string, applicationName: string, acts = false): Promise<void> {
  const client = await connectClient({ connectionString: url, applicationName })
  try {
    await checkSchema(client)
    if (acts) await checkActing(clientCaller(client))
  } finally {
    await client.end()
  }
}
