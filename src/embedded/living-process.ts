// A process on this machine, written down so that another process can tell later whether it still lives.
import fs from 'node:fs'

/** The process as one line: its pid and, where the system tells, when it began, because pids are used again. */
export function describeProcess(pid: number = process.pid): string {
  const start = readState(pid)?.start
  return start === undefined ? `${pid}` : `${pid} ${start}`
}

/** Whether the process that this line describes is still running; a line that makes no sense describes nobody. */
export function isLiving(description: string): boolean {
  const [pidText = '', start] = description.trim().split(' ')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0 || !answersSignal(pid)) return false
  const state = readState(pid)
  if (state === undefined) return true
  return !state.zombie && (start === undefined || start === state.start)
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

interface ProcessState {
  start: string
  zombie: boolean
}

/** Linux alone keeps this in a file; elsewhere the pid has to be enough. */
function readState(pid: number): ProcessState | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name in brackets and may hold anything, so count from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const start = fields[19]
    return start === undefined ? undefined : { start, zombie: fields[0] === 'Z' }
  } catch {
    return undefined
  }
}
