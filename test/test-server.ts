// The server that all test files of one run share.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../src/embedded/server.ts'
import { forgetfulSettings } from '../src/testing/embedded-server.ts'
import { removeAbandonedServers } from './abandoned-servers.ts'
import { FOLDER_PREFIX, makeReachableFolder } from './reachable-folder.ts'

export interface TestServer {
  /** A superuser's address. */
  url: string
  stop(): Promise<void>
}

/** A new embedded server in a temporary folder, which goes with it. */
export async function startTestServer(
  options: Pick<EmbeddedPostgresOptions, 'binaries'> = {},
): Promise<TestServer> {
  await removeAbandonedServers(os.tmpdir(), FOLDER_PREFIX)
  const folder = makeReachableFolder()
  const directory = path.join(folder, '.millrace')
  const server = await startEmbeddedPostgres({ ...options, directory, settings: forgetfulSettings })
  const stop = async (): Promise<void> => {
    await server.release()
    for (const gone of [server.directory, folder]) fs.rmSync(gone, { recursive: true, force: true })
  }
  return { url: server.url, stop }
}
