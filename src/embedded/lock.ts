// The lock under which the embedded server is created, started, adopted and stopped: one process at a time.
import fs from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { MillraceError } from '../core/errors.ts'
import { describeProcess, isLiving } from './living-process.ts'

const POLL_MS = 20
const WAIT_MS_MAX = 90_000
/** How long a lock without a name in it, or a removal, may take before we believe that its process died in the middle. */
const HALF_DONE_MS = 2_000

/** Runs `work` while no other process holds the lock file; a lock whose process died is removed. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await acquire(file)
  try {
    return await work()
  } finally {
    fs.rmSync(file, { force: true })
  }
}

async function acquire(file: string): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX
  while (!createExclusively(file)) {
    removeIfStale(file)
    if (performance.now() > deadline) throw stillLocked(file)
    await pause(POLL_MS)
  }
}

function createExclusively(file: string): boolean {
  try {
    fs.writeFileSync(file, describeProcess(), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * Two processes may find the same stale lock; the slower one must not remove the lock that the faster one has just
 * taken. So looking and removing happen inside a second, very short lock, without a pause between them.
 */
function removeIfStale(file: string): void {
  const removal = `${file}.removal`
  try {
    fs.mkdirSync(removal)
  } catch {
    if (isOlderThan(removal, HALF_DONE_MS)) fs.rmSync(removal, { recursive: true, force: true })
    return
  }
  if (isStale(file)) fs.rmSync(file, { force: true })
  fs.rmSync(removal, { recursive: true, force: true })
}

function isStale(file: string): boolean {
  const holder = readHolder(file)
  if (holder === '') return isOlderThan(file, HALF_DONE_MS)
  return !isLiving(holder)
}

function readHolder(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function isOlderThan(path: string, ms: number): boolean {
  const stat = fs.statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Date.now() - stat.mtimeMs > ms
}

function stillLocked(file: string): MillraceError {
  const holder = readHolder(file).split(' ')[0]
  return new MillraceError(
    'embedded_start_failed',
    `Process ${holder} has held the lock of the embedded PostgreSQL for ${WAIT_MS_MAX / 1000} s.`,
    { fields: { file, holder }, hint: `See what process ${holder} is doing, or end it and start again.` },
  )
}
