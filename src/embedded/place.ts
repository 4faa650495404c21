// Where the embedded server keeps its things: in the project, or where an unprivileged user can reach them.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../core/errors.ts'
import type { SystemUser } from './command.ts'
import { canWriteIn, findUnprivilegedUser, giveTo } from './unprivileged.ts'

export interface Place {
  /** The folder with all that follows; private to the user. */
  folder: string
  data: string
  passwordFile: string
  logFile: string
  lockFile: string
  usersFolder: string
  /** Copies of the programs, if they are needed. */
  cacheFolder: string
  user: SystemUser | undefined
  /** True when the folder is not in the project, because the user cannot reach the project. */
  relocated: boolean
}

/** Below it, each closed project has a folder named after itself. */
const RELOCATED_PARENT = '/var/lib/millrace'

/**
 * Decides where the server of this `.millrace` folder lives, and makes the folders.
 *
 * Throws `embedded_data_unreachable` when data exist where this process or its unprivileged user cannot reach them.
 */
export async function findPlace(directory: string): Promise<Place> {
  const home = path.join(directory, 'postgres')
  const away = relocatedFolder(directory)
  const user = await findUnprivilegedUser([path.join(home, 'data'), path.dirname(directory)])
  if (user !== undefined && hasData(away) && !hasData(home)) return placeIn(away, user, true)
  makeHome(directory, home, user)
  if (user === undefined) return placeIn(home, user, false)
  if (await canWriteIn(home, user)) return placeIn(home, user, false)
  if (hasData(home)) throw closedAbove(home, away, user)
  makeAway(away, home, user)
  return placeIn(away, user, true)
}

function relocatedFolder(directory: string): string {
  const project = path.dirname(directory)
  const mark = createHash('sha256').update(directory).digest('hex').slice(0, 8)
  return path.join(RELOCATED_PARENT, `${path.basename(project) || 'root'}-${mark}`)
}

function hasData(folder: string): boolean {
  return fs.existsSync(path.join(folder, 'data', 'PG_VERSION'))
}

function placeIn(folder: string, user: SystemUser | undefined, relocated: boolean): Place {
  return {
    folder,
    data: path.join(folder, 'data'),
    passwordFile: path.join(folder, 'password'),
    logFile: path.join(folder, 'server.log'),
    lockFile: path.join(folder, 'lock'),
    usersFolder: path.join(folder, 'users'),
    cacheFolder: path.join(folder, 'programs'),
    user,
    relocated,
  }
}

function makeHome(directory: string, home: string, user: SystemUser | undefined): void {
  try {
    makeOurFolder(directory, user)
    makePrivate(home, user)
    fs.accessSync(home, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
  } catch (cause) {
    throw notOurs(home, cause)
  }
}

/** The `.millrace` folder; nothing in it belongs into a repository, the password least of all. */
function makeOurFolder(directory: string, user: SystemUser | undefined): void {
  if (fs.existsSync(directory)) return
  fs.mkdirSync(directory, { recursive: true })
  fs.chmodSync(directory, 0o755)
  const ignored = path.join(directory, '.gitignore')
  fs.writeFileSync(ignored, '*\n')
  giveTo(user, directory)
  giveTo(user, ignored)
}

function makeAway(away: string, home: string, user: SystemUser): void {
  fs.mkdirSync(RELOCATED_PARENT, { recursive: true })
  fs.chmodSync(RELOCATED_PARENT, 0o755)
  makePrivate(away, user)
  // Two notes, for whoever looks for the data, or wonders whose they are after the project is gone.
  fs.writeFileSync(path.join(home, 'moved-to.txt'), `${away}\n`)
  fs.writeFileSync(path.join(away, 'moved-from.txt'), `${home}\n`)
}

/** Ours has a mode of its own whatever the umask says: PostgreSQL refuses a data folder that others can read. */
function makePrivate(folder: string, user: SystemUser | undefined): void {
  fs.mkdirSync(path.join(folder, 'users'), { recursive: true, mode: 0o700 })
  if (fs.statSync(folder).uid === process.getuid?.()) fs.chmodSync(folder, 0o700)
  // As root we can write everywhere; whoever starts without root later has to be able to.
  giveTo(user, folder)
  giveTo(user, path.join(folder, 'users'))
}

function closedAbove(home: string, away: string, user: SystemUser): MillraceError {
  return new MillraceError(
    'embedded_data_unreachable',
    `PostgreSQL runs as ${user.name}, who cannot reach the data in ${home}: a folder above is closed.`,
    {
      fields: { folder: home, user: user.name },
      hint: `Open the folders above for ${user.name} (chmod o+x), or move the data: mv ${home} ${away}`,
    },
  )
}

function notOurs(home: string, cause: unknown): MillraceError {
  return new MillraceError(
    'embedded_data_unreachable',
    `The folder of the embedded PostgreSQL, ${home}, is closed to this user: ${(cause as Error).message}`,
    {
      fields: { folder: home },
      hint: 'Start as the user who made it, or give another folder.',
      cause,
    },
  )
}
