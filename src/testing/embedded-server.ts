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
  try {
    return await joinIn(directory)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'embedded_data_incompatible') throw error
    // Another project of this user brings another PostgreSQL, which may be running on them: ours has data of its own beside.
    return await joinIn(path.join(directory, `${Number.parseInt(String(error.fields['version']), 10)}`))
  }
}

async function joinIn(directory: string): Promise<string> {
  fs.mkdirSync(directory, { recursive: true })
  const server = await startEmbeddedPostgres({ directory, settings: forgetfulSettings })
  keepServer(directory, server)
  return server.url
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
export function keeperFile({ directory }: KeptServer): string {
  return path.join(directory, 'keeper')
}

/** Whether that process lives. */
export function isKept(server: KeptServer): boolean {
  try {
    return isLiving(fs.readFileSync(keeperFile(server), 'utf8'))
  } catch {
    return false
  }
}

type KeptServer = Pick<EmbeddedPostgres, 'directory'>

/** What a test runner tells its own processes: programs to begin with, which are looked for where they run, and files to write when they end. */
const runnerVariables = ['NODE_OPTIONS', 'NODE_V8_COVERAGE', 'NODE_TEST_CONTEXT']

/** Test runners kill their processes, so none of them can be relied on to stop the server: a process of its own does. */
function keepServer(directory: string, server: EmbeddedPostgres): void {
  if (server.adopted && isKept(server)) return
  const program = fileURLToPath(new URL('./server-keeper.js', import.meta.url))
  const isSource = import.meta.url.endsWith('.ts')
  const args = isSource ? ['--import', import.meta.resolve('tsx'), program.replace(/js$/, 'ts')] : [program]
  const child = spawn(process.execPath, [...args, directory], {
    cwd: directory,
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !runnerVariables.includes(name))),
    detached: true,
    stdio: 'ignore',
    windowsHide: true,
  })
  child.on('error', () => {})
  child.unref()
}
