// Writes what is generated: troubleshooting from the catalogue of errors, the schema from a freshly migrated database, the routes of the client from the operations.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrate } from '../../src/db/migrate.ts'
import { startEmbeddedPostgres } from '../../src/embedded/server.ts'
import { routeLinesFile } from './client-routes.ts'
import { schemaPage } from './schema.ts'
import { troubleshootingPage } from './troubleshooting.ts'

writeFileSync(new URL('../../src/client/route-lines.ts', import.meta.url), routeLinesFile())
writePage('troubleshooting.md', troubleshootingPage())
writePage('schema.md', await withMigratedDatabase(schemaPage))

function writePage(name: string, text: string): void {
  writeFileSync(new URL(`../../docs/${name}`, import.meta.url), text)
  console.log(`docs/${name} written`)
}

async function withMigratedDatabase(read: (client: pg.Client) => Promise<string>): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  const server = await startEmbeddedPostgres({ directory })
  try {
    await migrate({ connectionString: server.url })
    const client = new pg.Client(server.url)
    await client.connect()
    const page = await read(client)
    await client.end()
    return page
  } finally {
    await server.release()
    rmSync(directory, { recursive: true, force: true })
  }
}
