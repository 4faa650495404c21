// The embedded PostgreSQL as others see it: one call starts or joins it, one call lets it go.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { MillraceError } from '../core/errors.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { DATABASE, ensureCluster, SUPERUSER } from './cluster.ts'
import { withLock } from './lock.ts'
import { findPlace, type Place } from './place.ts'
import { choosePort } from './port.ts'
import { findPostmaster, type Postmaster, startPostmaster, stopPostmaster } from './postmaster.ts'
import {
  checkRunningSettings,
  checkSettings,
  readLastPort,
  type Settings,
  writeSettings,
} from './settings.ts'
import { addUser, countLivingUsers, removeUser } from './users.ts'

export interface EmbeddedPostgresOptions {
  /** The project's `.millrace` folder; the server keeps its data in `postgres` below it. */
  directory: string
  /** Left out: the port of the last start if it is free, else any free one. */
  port?: number
  /** Lines of postgresql.conf by name. */
  settings?: Settings
  /** A folder with bin, lib and share of PostgreSQL 15 or newer, instead of the package from npm. */
  binaries?: string
  /** Told in sentences what happens. */
  log?: (line: string) => void
}

export interface EmbeddedPostgres {
  /** `postgres://postgres:…@127.0.0.1:…/millrace`: a superuser, a database of its own. */
  url: string
  /** True when the server was running already, started by another process or left behind by a killed one. */
  adopted: boolean
  /** Where data, password and log are. */
  directory: string
  /** True when that is not in the project, because the unprivileged user cannot reach the project. */
  relocated: boolean
  /** Lets the server go, and stops it when nobody else uses it. May be called twice. Throws `embedded_stop_failed`. */
  release(): Promise<void>
}

/**
 * Starts the PostgreSQL of this folder, or joins it when it runs already. As root it runs under an unprivileged user.
 * It listens on 127.0.0.1 only, asks for a password, keeps its data, and stops with the last process that uses it.
 *
 * Throws a MillraceError with one of the codes `embedded_unsupported_platform`, `embedded_binaries_missing`,
 * `embedded_start_failed`, `embedded_data_unreachable`, `embedded_data_incompatible`, `embedded_settings_conflict`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  checkSettings(options.settings ?? {})
  const place = await findPlace(realPath(options.directory))
  if (place.relocated) tellRelocation(place, options)
  return withLock(place.lockFile, async () => {
    const { user, cacheFolder } = place
    const binaries = await findBinaries({ folder: options.binaries, user, cacheFolder })
    const password = await ensureCluster(place, binaries)
    const running = await findPostmaster(place)
    const adopted = running !== undefined
    if (adopted) checkRunning(place, running, options)
    const { port } = running ?? (await start(place, binaries, options))
    const use = addUser(place.usersFolder)
    return {
      url: `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${DATABASE}`,
      adopted,
      directory: place.folder,
      relocated: place.relocated,
      release: () => release(place, binaries, use),
    }
  })
}

async function release(place: Place, binaries: Binaries, use: string): Promise<void> {
  // The project may have been deleted under us; then there is nothing left to lock.
  if (!fs.existsSync(place.folder)) return
  await withLock(place.lockFile, async () => {
    if (!fs.existsSync(use)) return
    removeUser(use)
    if (countLivingUsers(place.usersFolder) > 0) return
    if ((await findPostmaster(place)) !== undefined) await stopPostmaster(place, binaries)
  })
}

/** A name for the folder that does not depend on how somebody got there; the folder itself may not exist yet. */
function realPath(directory: string): string {
  const absolute = path.resolve(directory)
  if (fs.existsSync(absolute)) return fs.realpathSync(absolute)
  return path.join(realPath(path.dirname(absolute)), path.basename(absolute))
}

function tellRelocation(place: Place, options: EmbeddedPostgresOptions): void {
  const user = place.user?.name
  options.log?.(
    `PostgreSQL runs as ${user}, who cannot reach ${options.directory}, so its data are in ${place.folder}`,
  )
}

function checkRunning(place: Place, running: Postmaster, options: EmbeddedPostgresOptions): void {
  options.log?.(`Joined the embedded PostgreSQL that runs on port ${running.port}`)
  if (options.port === undefined || options.port === running.port) {
    checkRunningSettings(place.data, options.settings)
    return
  }
  throw new MillraceError(
    'embedded_settings_conflict',
    `The embedded PostgreSQL is already running on port ${running.port}, not on ${options.port}.`,
    {
      fields: { running: running.port, wanted: options.port },
      hint: 'End the other processes that use it, or leave the port out.',
    },
  )
}

/** Reasons that pass: somebody took the port between our look and the start; the memory of a killed server lingers. */
const PORT_TAKEN = /could not create any TCP\/IP sockets|Address already in use/
const MEMORY_LINGERS = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/
const START_ATTEMPTS_MAX = 50

async function start(
  place: Place,
  binaries: Binaries,
  options: EmbeddedPostgresOptions,
): Promise<Postmaster> {
  let refusal = ''
  for (let attempt = 1; attempt <= START_ATTEMPTS_MAX; attempt++) {
    const port = options.port ?? (await choosePort(attempt === 1 ? readLastPort(place.data) : undefined))
    writeSettings(place, port, options.settings ?? {})
    const started = await startPostmaster(place, binaries)
    if ('pid' in started) {
      options.log?.(`Started PostgreSQL ${binaries.version} on port ${port}, data in ${place.folder}`)
      return started
    }
    refusal = started.refusal
    const passes = MEMORY_LINGERS.test(refusal) || (options.port === undefined && PORT_TAKEN.test(refusal))
    if (!passes) break
    await pause(100)
    // The pg_ctl of a killed process may have been faster than ours.
    const running = await findPostmaster(place)
    if (running !== undefined) return running
  }
  throw cannotStart(place, refusal)
}

function cannotStart(place: Place, refusal: string): MillraceError {
  const lastLines = refusal.split('\n').slice(-8).join('\n')
  return new MillraceError('embedded_start_failed', `The embedded PostgreSQL does not start: ${lastLines}`, {
    fields: { directory: place.folder, log: place.logFile },
    hint: `Its whole log is ${place.logFile}.`,
  })
}
