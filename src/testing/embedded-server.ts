// The embedded server that all test processes of one user of this machine share, in the user's cache folder.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../core/errors.ts'
import { isLiving } from '../embedded/living-process.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/server.ts'

/** What is lost in a crash of a test server is lost with the tests; nothing there needs to reach a disk. */
export const forgetfulSettings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
}

let joining: Promise<string> | undefined

/** The address of a superuser. Starts the server, or joins it where it runs; when nobody has used it for a while, it is stopped. */
export function joinEmbeddedServer(): Promise<string> {
  joining ??= join()
  joining.catch(() => {
    joining = undefined
  })
  return joining
}

async function join(): Promise<string> {
  const directory = cacheFolder()
  fs.mkdirSync(directory, { recursive: true })
  const server = await start(directory)
  keepServer(directory, server)
  return server.url
}

/** Data of another version of PostgreSQL are thrown away: there is nothing in them that can't be made again. */
async function start(directory: string): Promise<EmbeddedPostgres> {
  const options = { directory, settings: forgetfulSettings }
  try {
    return await startEmbeddedPostgres(options)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'embedded_data_incompatible') throw error
    fs.rmSync(String(error.fields['data']), { recursive: true, force: true })
    return await startEmbeddedPostgres(options)
  }
}

/** Where programs of this user keep what they can make again. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: given, LOCALAPPDATA: local } = process.env
  if (given !== undefined && path.isAbsolute(given)) return path.join(given, 'millrace', 'testing')
  if (process.platform === 'win32')
    return path.join(local ?? path.join(os.homedir(), 'AppData', 'Local'), 'millrace', 'testing')
  const caches = process.platform === 'darwin' ? 'Library/Caches' : '.cache'
  return path.join(os.homedir(), caches, 'millrace', 'testing')
}

/** The file with the process that stops the server in the end. */
export function keeperFile(server: Pick<EmbeddedPostgres, 'directory'>): string {
  return path.join(server.directory, 'keeper')
}

/** Test runners kill their processes, so none of them can be relied on to stop the server: a process of its own does. */
function keepServer(directory: string, server: EmbeddedPostgres): void {
  if (server.adopted && isKept(server)) return
  const program = fileURLToPath(new URL('./server-keeper.js', import.meta.url))
  const isSource = import.meta.url.endsWith('.ts')
  const args = isSource ? ['--import', import.meta.resolve('tsx'), program.replace(/js$/, 'ts')] : [program]
  const child = spawn(process.execPath, [...args, directory], {
    cwd: os.tmpdir(),
    detached: true,
    stdio: 'ignore',
    windowsHide: true,
  })
  child.on('error', () => {})
  child.unref()
}

function isKept(server: EmbeddedPostgres): boolean {
  try {
    return isLiving(fs.readFileSync(keeperFile(server), 'utf8'))
  } catch {
    return false
  }
}
