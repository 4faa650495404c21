// Owns the keys that `millrace login` keeps, one for each server: a file that nobody else on the machine may read.
import fs from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../../core/errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

interface Kept {
  /** The keys by the addresses of their servers. */
  readonly keys: Readonly<Record<string, string>>
}

/** Where the keys lie: in the folder of the user's configurations. @throws MillraceError login_invalid where there is no such folder */
export function loginsFile(environment: Environment): string {
  const home = environment['HOME'] ?? environment['USERPROFILE']
  const folder =
    environment['XDG_CONFIG_HOME'] || environment['APPDATA'] || (home && path.join(home, '.config'))
  if (folder) return path.join(folder, 'millrace', 'keys.json')
  throw new MillraceError('login_invalid', 'There is no folder for keys: HOME is not set.', {
    hint: 'Set HOME, or give the key as MILLRACE_KEY.',
  })
}

/** The key that is kept for a server; undefined where there is none. @throws MillraceError login_invalid */
export function keptKey(environment: Environment, server: URL): string | undefined {
  if (!environment['HOME'] && !environment['USERPROFILE'] && !environment['XDG_CONFIG_HOME']) return undefined
  return readKeys(loginsFile(environment))[addressOf(server.href)]
}

/** Keeps a key; undefined forgets it. Answers whether there was one. @throws MillraceError login_invalid */
export function keepKey(environment: Environment, server: URL, key: string | undefined): boolean {
  const file = loginsFile(environment)
  const address = addressOf(server.href)
  const { [address]: former, ...others } = readKeys(file)
  const kept: Kept = { keys: key === undefined ? others : { ...others, [address]: key } }
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  // Written aside and moved into place: whoever is interrupted leaves the one or the other, and nobody sees it while anybody might read it.
  const half = `${file}.${process.pid}`
  fs.rmSync(half, { force: true })
  fs.writeFileSync(half, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  fs.renameSync(half, file)
  return former !== undefined
}

/** Requests go to the same addresses with a slash at the end of the server's as without. */
function addressOf(href: string): string {
  return href.replace(/\/+$/, '')
}

function readKeys(file: string): Readonly<Record<string, string>> {
  const text = textOf(file)
  if (text === undefined) return {}
  try {
    const { keys } = JSON.parse(text) as Partial<Kept>
    if (typeof keys === 'object' && Object.values(keys).every((key) => typeof key === 'string'))
      return Object.fromEntries(Object.entries(keys).map(([address, key]) => [addressOf(address), key]))
  } catch {}
  throw new MillraceError('login_invalid', `${file} is not what millrace login writes.`, {
    hint: 'Remove it, and log in again.',
  })
}

function textOf(file: string): string | undefined {
  let mode: number
  try {
    mode = fs.statSync(file).mode
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new MillraceError('login_invalid', `${file} holds keys, and others on this machine may read it.`, {
      hint: `Make it yours alone: chmod 600 ${file}`,
    })
  return fs.readFileSync(file, 'utf8')
}
