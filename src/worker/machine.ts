// The machine of a worker: which of the others that ran on it are dead, as nobody else can see.
import { readFileSync, readlinkSync } from 'node:fs'
import type { Caller } from '../db/call.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { sweepMachine } from '../db/workers.ts'
import { pause } from './connections.ts'

const lookEveryMs = 250

/**
 * The start of the system and the table of processes in which this process has its number: only there the absence of a number proves a
 * death. A container has a table of its own, and with each start another one. Null where the system tells neither.
 */
export function machineOfProcess(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return null
  }
}

/** Whether no process has this number. One that may not be signalled lives; so seems one whose number another has by now. */
function isProcessGone(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Has the workers of this machine counted as gone whose processes are, until none is left: it takes as long as they must have been silent. */
export async function endDeadNeighbours(
  caller: Caller,
  worker: WorkerKey,
  ended: AbortSignal,
  isGone = isProcessGone,
): Promise<void> {
  let dead: string[] = []
  do {
    const neighbours = await sweepMachine(caller, worker, dead)
    const wasTold = dead.length > 0
    dead = neighbours.filter((neighbour) => isGone(neighbour.process_id)).map(({ id }) => id)
    if (wasTold && dead.length > 0) await pause(lookEveryMs, ended)
  } while (dead.length > 0 && !ended.aborted)
}
