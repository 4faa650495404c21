// The temporary folders of benchmarks, and what is left of those that were killed: the folders, and the servers that still work in them.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describeProcess, isLiving } from '../src/embedded/living-process.ts'

/** The process that made it stands in the name, with the moment of its beginning where the system tells: ids are used again. */
const folderName = /^millrace-(?:bench|peers|revision)-(\d+(?:-\d+)?)-\w{6}$/
/** As the kernel calls them; nobody else who looks into such a folder is ended. */
const servers = ['postgres', 'redis-server', 'restate-server']
const endsWithinMs = 5_000

export function temporaryFolder(kind: 'bench' | 'peers' | 'revision'): string {
  const owner = describeProcess().replace(' ', '-')
  return fs.mkdtempSync(path.join(os.tmpdir(), `millrace-${kind}-${owner}-`))
}

/** Ends and removes what nobody lives for any more; folders of other users are theirs to remove. */
export async function removeLeftOvers(parent = os.tmpdir()): Promise<void> {
  for (const name of fs.readdirSync(parent)) {
    const folder = path.join(parent, name)
    if (!isAbandoned(name) || !isOurs(folder)) continue
    await endServersIn(fs.realpathSync(folder))
    removeFolder(folder)
  }
}

/** A server that was just killed may still write a file. */
export function removeFolder(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

function isAbandoned(name: string): boolean {
  const owner = folderName.exec(name)?.[1]
  return owner !== undefined && !isLiving(owner.replace('-', ' '))
}

function isOurs(folder: string): boolean {
  return fs.lstatSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.()
}

/** SIGQUIT is Postgres's own word for an end without tidying, which keeps no shared memory as SIGKILL would. */
async function endServersIn(folder: string): Promise<void> {
  const ends = performance.now() + endsWithinMs
  for (let living = serversIn(folder); living.length > 0; living = serversIn(folder)) {
    for (const id of living) end(id, performance.now() < ends ? 'SIGQUIT' : 'SIGKILL')
    await pause(100)
  }
}

function end(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal)
  } catch {
    // It ended between the look and the signal.
  }
}

/** By what Linux tells of them: Redis and Postgres go into their folder, Restate is told it. Elsewhere none is found, and each ends without its folder. */
function serversIn(folder: string): number[] {
  if (!fs.existsSync('/proc/self/stat')) return []
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((id) => Number.isInteger(id) && isServerIn(folder, id))
}

function isServerIn(folder: string, id: number): boolean {
  try {
    const of = (name: string) => fs.readFileSync(`/proc/${id}/${name}`, 'utf8')
    if (!servers.includes(of('comm').trim()) || !isLiving(`${id}`)) return false
    const places = [fs.readlinkSync(`/proc/${id}/cwd`), ...of('cmdline').split('\0')]
    return places.some((place) => place === folder || place.startsWith(`${folder}/`))
  } catch {
    // It ended between the list and the look, or is somebody else's.
    return false
  }
}
