// Owns the set-up of tests that do something to worker programs or to their server: where they work, a client, and what ends with the tests.
import { afterAll, afterEach } from 'vitest'
import type { Settings } from '../../src/embedded/settings.ts'
import { type Client, connect } from '../../src/sdk/client.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { type OwnServer, startOwnServer } from './own-server.ts'
import { effectTable } from './pipelines.ts'
import { WorkerPrograms } from './worker-program.ts'

interface Programs {
  readonly client: Client
  readonly programs: WorkerPrograms
}

/** On a database of their own, in which their steps write what they did. */
export async function programsOnDatabase(): Promise<Programs & { readonly database: TestDatabase }> {
  const database = await createTestDatabase()
  await database.query(effectTable)
  return { database, ...programsOn(database) }
}

/** On a server of their own, which a test may take away. */
export async function programsOnServer(
  settings: Settings = {},
): Promise<Programs & { readonly server: OwnServer }> {
  const server = await startOwnServer(settings)
  return { server, ...programsOn(server) }
}

function programsOn(place: { readonly url: string; close(): Promise<unknown> }): Programs {
  const client = connect({ database: place.url })
  const programs = new WorkerPrograms()
  afterEach(() => programs.killAll())
  afterAll(async () => {
    await client.close()
    await place.close()
  })
  return { client, programs }
}
