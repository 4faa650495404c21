// The running server of a data folder: found through postmaster.pid, started, stopped.
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { MillraceError } from '../core/errors.ts'
import type { Binaries } from './binaries.ts'
import { runCommand } from './command.ts'
import { isLiving } from './living-process.ts'
import type { Place } from './place.ts'

export interface Postmaster {
  pid: number
  port: number
}

interface PidFile extends Postmaster {
  status: string
}

const POLL_MS = 20
/** How long a server may take to come up or go down: recovery after a crash reads what was written since. */
const CHANGE_SECONDS_MAX = 60
const LOG_BYTES_MAX = 10_000_000

/**
 * The live server of these data, ready for connections. A pid file whose server is dead is removed: its pid may belong
 * to somebody else by now, and PostgreSQL would then refuse to start.
 */
export async function findPostmaster(place: Place): Promise<Postmaster | undefined> {
  const deadline = performance.now() + CHANGE_SECONDS_MAX * 1000
  for (;;) {
    const found = readPidFile(place.data)
    if (found === undefined) return undefined
    if (!(await isPostmasterOf(place.data, found))) {
      fs.rmSync(pidFileOf(place.data), { force: true })
      return undefined
    }
    if (found.status === 'ready') return { pid: found.pid, port: found.port }
    if (performance.now() > deadline) throw stuck(place, found)
    await pause(POLL_MS)
  }
}

/** Starts a server with the settings that lie in its data folder. Returns what its log says when it does not start. */
export async function startPostmaster(
  place: Place,
  binaries: Binaries,
): Promise<Postmaster | { refusal: string }> {
  const logStart = keepLogShort(place.logFile)
  const waiting = ['-w', '-t', `${CHANGE_SECONDS_MAX}`]
  const args = ['start', '-D', place.data, '-l', place.logFile, '-s', ...waiting]
  const options = { user: place.user, cwd: place.folder, leavesServer: true }
  const result = await runCommand(binaries.pgCtl, args, options)
  const started = readPidFile(place.data)
  if (result.ok && started !== undefined) return started
  return { refusal: readLogFrom(place.logFile, logStart) || result.output }
}

/** Ends all connections and stops the server; what was committed is on disk. Throws `embedded_stop_failed`. */
export async function stopPostmaster(place: Place, binaries: Binaries): Promise<void> {
  for (const mode of ['fast', 'immediate']) {
    const args = ['stop', '-D', place.data, '-m', mode, '-s', '-w', '-t', `${CHANGE_SECONDS_MAX}`]
    const result = await runCommand(binaries.pgCtl, args, { user: place.user, cwd: place.folder })
    if (result.ok || readPidFile(place.data) === undefined) return
  }
  throw new MillraceError('embedded_stop_failed', `The embedded PostgreSQL in ${place.data} does not stop.`, {
    fields: { data: place.data, log: place.logFile },
    hint: `Look into ${place.logFile}, and end the process named in postmaster.pid.`,
  })
}

function pidFileOf(data: string): string {
  return path.join(data, 'postmaster.pid')
}

/** Its lines: pid, data folder, start, port, socket folder, address, shared memory, status. */
function readPidFile(data: string): PidFile | undefined {
  try {
    const lines = fs.readFileSync(pidFileOf(data), 'utf8').split('\n')
    const [pid, port] = [Number(lines[0]), Number(lines[3])]
    return { pid, port, status: (lines[7] ?? '').trim() }
  } catch {
    return undefined
  }
}

async function isPostmasterOf(data: string, found: PidFile): Promise<boolean> {
  if (!isLiving(`${found.pid}`)) return false
  return standsIn(found.pid, data) ?? (await answers(found.port))
}

/** A postmaster's working directory is its data folder; undefined where the system does not tell. */
function standsIn(pid: number, data: string): boolean | undefined {
  try {
    const there = fs.statSync(`/proc/${pid}/cwd`)
    const here = fs.statSync(data)
    return there.dev === here.dev && there.ino === here.ino
  } catch {
    return undefined
  }
}

/** PostgreSQL answers the question for TLS with one letter, before it asks who we are. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port, timeout: 1000 })
    const end = (isPostgres: boolean): void => {
      socket.destroy()
      resolve(isPostgres)
    }
    socket.on('connect', () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])))
    socket.on('data', (reply) => end(reply.length === 1 && 'NS'.includes(reply.toString('latin1'))))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.on('timeout', () => end(false))
  })
}

/** Returns where the log of the next start begins. */
function keepLogShort(file: string): number {
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size < LOG_BYTES_MAX) return size
  fs.renameSync(file, `${file}.1`)
  return 0
}

function readLogFrom(file: string, start: number): string {
  if (!fs.existsSync(file)) return ''
  return fs.readFileSync(file).subarray(start).toString('utf8').trim()
}

function stuck(place: Place, found: PidFile): MillraceError {
  return new MillraceError(
    'embedded_start_failed',
    `The embedded PostgreSQL (process ${found.pid}) has been "${found.status}" for ${CHANGE_SECONDS_MAX} s.`,
    { fields: { pid: found.pid, status: found.status }, hint: `Look into ${place.logFile}.` },
  )
}
