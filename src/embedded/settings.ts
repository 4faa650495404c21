// The settings of the embedded server: ours, the caller's, and the file in the data folder that carries them.
import fs from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../core/errors.ts'
import type { Place } from './place.ts'
import { giveTo } from './unprivileged.ts'

export type Settings = Record<string, string>

/** Included at the end of postgresql.conf and written anew before each start. */
export const SETTINGS_FILE = 'millrace.conf'

/** The same for the port, which is no setting to compare: who joins a server takes the port that it has. */
export const PORT_FILE = 'millrace-port.conf'

/** What makes the server ours alone; nobody may change it. */
const FIXED: Settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
}

/** Throws `embedded_settings_conflict` for a setting that Millrace itself decides, or that is no setting at all. */
export function checkSettings(settings: Settings): void {
  const refused = Object.keys(settings).find((name) => isOurs(name.toLowerCase()))
  if (refused === undefined) return
  throw new MillraceError(
    'embedded_settings_conflict',
    `The setting "${refused}" cannot be given to the embedded PostgreSQL, which listens on the loopback address only.`,
    { fields: { setting: refused }, hint: 'Leave it out; the port has an option of its own.' },
  )
}

function isOurs(name: string): boolean {
  return name in FIXED || name === 'port' || name.startsWith('include') || !/^[a-z_][a-z0-9_.]*$/.test(name)
}

export function writeSettings(place: Place, port: number, settings: Settings): void {
  writeFile(place, SETTINGS_FILE, render({ ...settings, ...FIXED }))
  writeFile(place, PORT_FILE, render({ port: `${port}` }))
}

function writeFile(place: Place, name: string, text: string): void {
  const file = path.join(place.data, name)
  fs.writeFileSync(file, text, { mode: 0o600 })
  giveTo(place.user, file)
}

/** The port of the last start, so that an address which somebody wrote down stays good. */
export function readLastPort(data: string): number | undefined {
  const port = /^port = '(\d+)'$/m.exec(read(data, PORT_FILE))?.[1]
  return port === undefined ? undefined : Number(port)
}

/**
 * Throws `embedded_settings_conflict` when the server that runs already was started with other settings: they cannot
 * be had without stopping it for those who use it.
 */
export function checkRunningSettings(data: string, settings: Settings | undefined): void {
  if (settings === undefined || read(data, SETTINGS_FILE) === render({ ...settings, ...FIXED })) return
  throw new MillraceError(
    'embedded_settings_conflict',
    'The embedded PostgreSQL is already running with other settings than these.',
    { fields: { data, settings }, hint: 'End the other processes that use it, or leave the settings out.' },
  )
}

function read(data: string, name: string): string {
  const file = path.join(data, name)
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
}

function render(settings: Settings): string {
  const lines = Object.entries(settings)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} = '${escape(value)}'`)
  return `# Written by Millrace before each start; changes here are lost.\n${lines.join('\n')}\n`
}

/** In postgresql.conf a backslash begins an escape, and a line cannot break. */
function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n')
}
