// The servers of earlier test runs that were killed: stopped and removed before the next run begins.
import fs from 'node:fs'
import path from 'node:path'
import { startEmbeddedPostgres } from '../src/embedded/server.ts'
import { countLivingUsers } from '../src/embedded/users.ts'

/** Longer than a run takes: a test of the same run may have killed its users on purpose, and still need its folder. */
const runMsMax = 1_800_000

/** Leaves alone what another run uses or has made, and what another user of this machine made. */
export async function removeAbandonedServers(parent: string, prefix: string): Promise<void> {
  const names = fs.readdirSync(parent).filter((name) => name.startsWith(prefix))
  for (const folder of names.map((name) => path.join(parent, name))) {
    const directory = path.join(folder, '.millrace')
    if (Date.now() - madeAt(folder) < runMsMax || !isAbandoned(directory)) continue
    const server = await startEmbeddedPostgres({ directory })
    await server.release()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Milliseconds since 1970; one that somebody else has removed meanwhile is as good as new. */
function madeAt(folder: string): number {
  return fs.statSync(folder, { throwIfNoEntry: false })?.birthtimeMs ?? Date.now()
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
