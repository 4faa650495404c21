// The user that PostgreSQL runs under when we are root, because PostgreSQL refuses to run as root.
import fs from 'node:fs'
import { MillraceError } from '../core/errors.ts'
import { runCommand, type SystemUser } from './command.ts'

/**
 * The first of these that exists and that we may become: the owner of the folders given, so that the data stay
 * usable without root, then `nobody`, then `postgres`. Undefined when this process is not root.
 *
 * Throws `embedded_start_failed` when we are root and there is nobody to become.
 */
export async function findUnprivilegedUser(folders: string[]): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const user of candidates(folders)) {
    const tried = await runCommand('/bin/sh', ['-c', 'exit 0'], { user, cwd: '/' })
    if (tried.ok) return user
  }
  throw new MillraceError(
    'embedded_start_failed',
    'PostgreSQL does not run as root, and this machine has no user "nobody" or "postgres" to run it as.',
    {
      hint: 'Create a user named postgres, start Millrace as another user than root, or set a database URL.',
    },
  )
}

/** Whether the user can enter the folder and write in it; only the system knows all its rules, so we let it try. */
export async function canWriteIn(folder: string, user: SystemUser): Promise<boolean> {
  const script = 'cd "$1" && test -w .'
  const tried = await runCommand('/bin/sh', ['-c', script, 'sh', folder], { user, cwd: '/' })
  return tried.ok
}

/** Gives a folder or file to the user; without a user it is ours already. */
export function giveTo(user: SystemUser | undefined, path: string): void {
  if (user !== undefined) fs.chownSync(path, user.uid, user.gid)
}

function candidates(folders: string[]): SystemUser[] {
  const known = readPasswd()
  const owners = folders.map((folder) => ownerOf(folder, known))
  const named = ['nobody', 'postgres'].map((name) => known.find((user) => user.name === name))
  return [...owners, ...named].filter((user) => user !== undefined)
}

function ownerOf(folder: string, known: SystemUser[]): SystemUser | undefined {
  const { uid, gid } = fs.statSync(folder, { throwIfNoEntry: false }) ?? { uid: 0, gid: 0 }
  if (uid === 0) return undefined
  // initdb refuses a user without a name; macOS keeps its people elsewhere, so there the owner is believed.
  const unlisted = process.platform === 'darwin' ? { uid, gid, name: `user ${uid}` } : undefined
  return known.find((user) => user.uid === uid) ?? unlisted
}

function readPasswd(): SystemUser[] {
  const lines = fs.readFileSync('/etc/passwd', 'utf8').split('\n')
  return lines
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((user) => Number.isInteger(user.uid) && user.uid > 0)
}
