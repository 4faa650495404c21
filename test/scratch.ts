// Where tests keep what they write for a while: in memory, where the machine has room for it. Databases are made and dropped all the time, which
// a file system on a disk pays for with every file of them.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { removeAbandonedServers } from './abandoned-servers.ts'
import { FOLDER_PREFIX } from './reachable-folder.ts'

const memory = '/dev/shm'
const memoryBytesMin = 4 * 1024 ** 3

/** What the names of folders begin with that end with their test file, or with the run. */
const SCRATCH_PREFIX = 'millrace-scratch-'

/** What tsx calls the folder in which it keeps what it has translated. */
export const translationsName = `tsx-${process.geteuid?.() ?? os.userInfo().username}`

/** The folder for all of a run: what TMPDIR says; otherwise memory where there is enough; otherwise the machine's own. */
export function scratchRoot(): string {
  return process.env['TMPDIR'] === undefined && isRoomy(memory) ? memory : os.tmpdir()
}

/** Containers have little of it, or let no program run there. */
function isRoomy(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK)
    const { bavail, bsize } = fs.statfsSync(folder)
    return bavail * bsize >= memoryBytesMin && !mountOptions(folder).includes('noexec')
  } catch {
    return false
  }
}

function mountOptions(folder: string): string[] {
  const mounts = fs.readFileSync('/proc/mounts', 'utf8').split('\n')
  const [, , , options = 'noexec'] =
    mounts.map((line) => line.split(' ')).find(([, at]) => at === folder) ?? []
  return options.split(',')
}

/** A new folder that other users can enter, since embedded servers run as one of them. */
export function makeScratchFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), SCRATCH_PREFIX))
  fs.chmodSync(folder, 0o755)
  return folder
}

/** Longer than a run takes. */
const runMsMax = 1_800_000

/** Removes what runs left behind that were killed, with the servers in it that nobody uses. */
export async function removeAbandonedScratch(): Promise<void> {
  const parent = os.tmpdir()
  const names = fs.readdirSync(parent).filter((name) => name.startsWith(SCRATCH_PREFIX))
  for (const folder of names.map((name) => path.join(parent, name))) {
    const made = fs.statSync(folder, { throwIfNoEntry: false })?.ctimeMs ?? Date.now()
    if (Date.now() - made < runMsMax) continue
    await removeAbandonedServers(folder, FOLDER_PREFIX)
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
