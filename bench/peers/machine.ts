// The machine that measures: what it is, and how much of it was at work before.
import { availableParallelism, cpus, release, totalmem, type as system } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** How much of it may be at work before a row. */
export const busyShareMax = 0.1
/** Stood in the description of a busy machine while that was looked at but once, before all rows. */
export const busyMark = 'from other work'

/** For how long it is looked at, and how often: what the row before left to the server may still be going on. */
const busyMs = 3_000
const busyLooks = 5

export function machineText(stores: string): string {
  const [cpu] = cpus()
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GB`
  return [
    `${availableParallelism()} cores (${cpu?.model.trim() ?? '?'}), ${memory}, ${system()} ${release()}`,
    `Node ${process.versions.node}; ${stores}`,
  ].join(', ')
}

/** Whoever measures on a busy machine is told so, and so are the readers of the page. */
export function busyText(share: number): string {
  const text = `${Math.round(100 * share)} % of the machine was at work before`
  return share <= busyShareMax ? text : `${text}: values are low and lie far apart, costs and ratios say more`
}

/** The share of all processors that is at work while nothing of a row has begun. */
export async function busyShare(): Promise<number> {
  let share = await shareAtWork()
  for (let look = 1; look < busyLooks && share > busyShareMax; look++) share = await shareAtWork()
  return share
}

async function shareAtWork(): Promise<number> {
  const before = processorTime()
  await pause(busyMs)
  const after = processorTime()
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

function processorTime(): { readonly idle: number; readonly all: number } {
  const times = cpus().map(({ times: one }) => one)
  const all = times.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0)
  return { idle: times.reduce((sum, one) => sum + one.idle, 0), all }
}
