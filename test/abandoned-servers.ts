// The servers of earlier test runs that were killed: stopped and removed before the next run begins.
import fs from 'node:fs'
import path from 'node:path'
import { startEmbeddedPostgres } from '../src/embedded/server.ts'
import { countLivingUsers } from '../src/embedded/users.ts'

/** Leaves alone what another run uses, has just begun to make, or what another user of this machine made. */
export async function removeAbandonedServers(parent: string, prefix: string): Promise<void> {
  const names = fs.readdirSync(parent).filter((name) => name.startsWith(prefix))
  for (const folder of names.map((name) => path.join(parent, name))) {
    const directory = path.join(folder, '.millrace')
    if (!isAbandoned(directory)) continue
    const server = await startEmbeddedPostgres({ directory })
    await server.release()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** A run that has just begun has no users yet; one that was killed has dead ones. */
function isAbandoned(directory: string): boolean {
  const usersFolder = path.join(directory, 'postgres', 'users')
  try {
    return fs.readdirSync(usersFolder).length > 0 && countLivingUsers(usersFolder) === 0
  } catch {
    return false
  }
}
