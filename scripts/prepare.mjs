// Makes a fresh checkout ready to run: the Node version, the dependencies, the build. Needs nothing but Node and npm.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

const node_oldest = [20, 19]

/**
 * Installs what the lockfile names unless it is installed already, and builds if asked. Ends the process with one
 * sentence when that cannot be done.
 */
export function prepare({ build }) {
  const refusal = refuseNode(process.versions.node)
  if (refusal !== undefined) fail(refusal)
  if (!isInstalled(readJson('package-lock.json'), readJson('node_modules/.package-lock.json'))) install()
  if (build) compile()
}

/** A sentence for a Node that is too old, else undefined. */
export function refuseNode(version) {
  const [major, minor] = version.split('.').map(Number)
  const [oldest_major, oldest_minor] = node_oldest
  if (major > oldest_major || (major === oldest_major && minor >= oldest_minor)) return undefined
  return `Millrace needs Node ${node_oldest.join('.')} or newer; this is Node ${version}.`
}

/**
 * Whether node_modules holds what the lockfile names. By content, not by time: a checkout gives files new times. npm
 * leaves out what is optional and meant for other platforms, so that may be missing.
 */
export function isInstalled(lock, installed) {
  if (lock === undefined || installed === undefined) return false
  const wanted = Object.entries(lock.packages).filter(([path]) => path !== '')
  const isThere = ([path, entry]) => {
    const found = installed.packages[path]
    return found === undefined
      ? isLeftOut(entry)
      : found.version === entry.version && found.integrity === entry.integrity
  }
  return wanted.every(isThere) && Object.keys(installed.packages).every((path) => path in lock.packages)
}

function isLeftOut(entry) {
  return entry.optional === true || entry.devOptional === true
}

/** A file by its path from the root; undefined where there is none. */
export function readJson(name) {
  const path = join(root, name)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

function install() {
  console.log('Installing the dependencies (npm ci) …')
  if (!npm(['ci', '--no-audit', '--no-fund']))
    fail('The dependencies could not be installed; npm says why above.')
}

/** Runs npm with its output shown; true when it ended well. */
export function npm(args) {
  // Started by npm, we know its file; otherwise it is a script, which Windows runs through a shell only.
  const own_file = process.env.npm_execpath
  const known = own_file !== undefined && /npm-cli\.[cm]?js$/.test(own_file)
  const [file, ...before] = known ? [process.execPath, own_file] : ['npm']
  const shell = !known && process.platform === 'win32'
  return spawnSync(file, [...before, ...args], { cwd: root, stdio: 'inherit', shell }).status === 0
}

/** The compiler knows by itself what is out of date, and is done in a moment when nothing is. */
function compile() {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [compiler, '-b'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) fail('Millrace could not be built; the compiler says why above.')
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}
