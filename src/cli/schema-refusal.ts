// Owns the look at the schema before a command serves: one that does not fit is refused before anybody is answered.
import { connectClient } from '../db/connection.ts'
import { checkSchema } from '../db/schema-check.ts'

/** @throws MillraceError schema_missing, schema_outdated, schema_newer, and those of connectClient */
export async function refuseSchema(url: string, applicationName: string): Promise<void> {
  const client = await connectClient({ connectionString: url, applicationName })
  try {
    await checkSchema(client)
  } finally {
    await client.end()
  }
}
