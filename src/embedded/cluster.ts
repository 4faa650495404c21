// The data of the embedded server: made whole or not at all, with a random password and nobody trusted.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../core/errors.ts'
import type { Binaries } from './binaries.ts'
import { runCommand } from './command.ts'
import type { Place } from './place.ts'
import { PORT_FILE, SETTINGS_FILE } from './settings.ts'
import { giveTo } from './unprivileged.ts'

/** Not `millrace`: "$user" comes first in the search path, and every table made by hand would land in our schema. */
export const SUPERUSER = 'postgres'

/** Made by sql/embedded.sql. */
export const DATABASE = 'millrace'

const HALF_PREFIX = 'data.new-'

const DATABASE_SQL = new URL('../../sql/embedded.sql', import.meta.url)

/**
 * Makes the data unless they are there, and returns the password. The data are made in a folder beside and renamed at
 * the end: a process that is killed in the middle leaves nothing that looks like data.
 *
 * Throws `embedded_data_incompatible` when another major version of PostgreSQL wrote them, `embedded_start_failed`
 * when PostgreSQL cannot make them.
 */
export async function ensureCluster(place: Place, binaries: Binaries): Promise<string> {
  if (fs.existsSync(path.join(place.data, 'PG_VERSION'))) checkVersion(place, binaries)
  else await makeCluster(place, binaries)
  return readPassword(place)
}

function checkVersion(place: Place, binaries: Binaries): void {
  const written = fs.readFileSync(path.join(place.data, 'PG_VERSION'), 'utf8').trim()
  if (written === `${binaries.majorVersion}`) return
  throw new MillraceError(
    'embedded_data_incompatible',
    `The data in ${place.data} were written by PostgreSQL ${written}; this is PostgreSQL ${binaries.version}.`,
    {
      fields: { data: place.data, written, version: binaries.version },
      hint: `Install the embedded PostgreSQL ${written} again, or move the folder away to begin with empty data.`,
    },
  )
}

async function makeCluster(place: Place, binaries: Binaries): Promise<void> {
  removeHalves(place)
  // A name of its own: the initdb of a killed process may still be running, and must not write into ours.
  const half = path.join(place.folder, `${HALF_PREFIX}${randomBytes(4).toString('hex')}`)
  writePassword(place)
  await initialise(half, place, binaries)
  await createDatabase(half, place, binaries)
  // From here on it does not start without them: they are what keeps it on the loopback address.
  const includes = [SETTINGS_FILE, PORT_FILE].map((name) => `include = '${name}'\n`)
  fs.appendFileSync(path.join(half, 'postgresql.conf'), `\n${includes.join('')}`)
  fs.renameSync(half, place.data)
}

function removeHalves(place: Place): void {
  const halves = fs.readdirSync(place.folder).filter((name) => name.startsWith(HALF_PREFIX))
  for (const name of halves)
    fs.rmSync(path.join(place.folder, name), { recursive: true, force: true, maxRetries: 5 })
}

function writePassword(place: Place): void {
  // Letters, digits, - and _ only, so that it needs no escaping in an address.
  fs.rmSync(place.passwordFile, { force: true })
  fs.writeFileSync(place.passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' })
  giveTo(place.user, place.passwordFile)
}

function readPassword(place: Place): string {
  try {
    return fs.readFileSync(place.passwordFile, 'utf8').trim()
  } catch (cause) {
    throw new MillraceError(
      'embedded_data_unreachable',
      `The password file ${place.passwordFile} cannot be read.`,
      {
        fields: { file: place.passwordFile },
        hint: 'Start as the user who made it; if it is lost, move the folder away to begin with empty data.',
        cause,
      },
    )
  }
}

async function initialise(data: string, place: Place, binaries: Binaries): Promise<void> {
  const login = [`--username=${SUPERUSER}`, `--pwfile=${place.passwordFile}`]
  const trust = ['--auth-host=scram-sha-256', '--auth-local=scram-sha-256']
  // --no-sync: what a power cut could damage in these first seconds is still empty. The server itself syncs.
  const form = ['--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions']
  const args = [`--pgdata=${data}`, ...login, ...trust, ...form]
  const result = await runCommand(binaries.initdb, args, { user: place.user, cwd: place.folder })
  if (!result.ok) throw cannotMake(place, result.output)
}

/** In single-user mode: nobody can connect before everything is ready, and a start later is only a start. */
async function createDatabase(data: string, place: Place, binaries: Binaries): Promise<void> {
  const args = ['--single', '-F', '-j', '-D', data, 'template1']
  const input = fs.readFileSync(DATABASE_SQL, 'utf8')
  const result = await runCommand(binaries.postgres, args, { user: place.user, cwd: place.folder, input })
  // In this mode PostgreSQL ends well after an error in a statement.
  if (!result.ok || /\b(ERROR|FATAL|PANIC):/.test(result.output)) throw cannotMake(place, result.output)
}

function cannotMake(place: Place, output: string): MillraceError {
  return new MillraceError(
    'embedded_start_failed',
    `PostgreSQL could not make its data in ${place.data}: ${output.trim()}`,
    {
      fields: { data: place.data, output },
      hint: 'See that the disk has room and the folder can be written.',
    },
  )
}
