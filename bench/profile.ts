// CPU profiles of this process: a file that Chrome's tools open, and the functions that took most of the time.
import fs from 'node:fs'
import { Session, type Profiler } from 'node:inspector/promises'
import path from 'node:path'

const intervalMicroseconds = 200
const functionsShown = 25

/** Runs the work under the profiler; a later call of the same name writes over the file of an earlier one. */
export async function profileCpu<T>(
  work: () => Promise<T>,
  to: { folder: string; name: string },
): Promise<T> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: intervalMicroseconds })
  await session.post('Profiler.start')
  try {
    return await work()
  } finally {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    write(profile, to)
  }
}

function write(profile: Profiler.Profile, { folder, name }: { folder: string; name: string }): void {
  fs.mkdirSync(folder, { recursive: true })
  const file = path.join(folder, `${name}.cpuprofile`)
  fs.writeFileSync(file, JSON.stringify(profile))
  fs.writeFileSync(path.join(folder, `${name}.txt`), `${ownTimes(profile)}\n`)
}

/** The share of all samples that each function had on top of its stack. */
export function ownTimes(profile: Profiler.Profile): string {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const samples = new Map<string, number>()
  for (const id of profile.samples ?? []) {
    const name = names.get(id) ?? '?'
    samples.set(name, (samples.get(name) ?? 0) + 1)
  }
  const total = profile.samples?.length ?? 0
  return [...samples]
    .toSorted(([, left], [, right]) => right - left)
    .slice(0, functionsShown)
    .map(([name, count]) => `${((100 * count) / total).toFixed(1).padStart(5)} %  ${name}`)
    .join('\n')
}

function nameOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const place = url === '' ? '' : ` ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`
}
