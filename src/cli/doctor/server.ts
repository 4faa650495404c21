// Owns what a doctor looks at on the server: its version, clock, connections, pooler and roles.
import { count, durationWords } from '../../core/wording.ts'
import type { ServerFacts, WorkerRow } from '../../db/diagnosis.ts'
import type { LeftOverIndex } from '../../db/left-over-indexes.ts'
import type { WorkerConfig } from '../../sdk/config.ts'
import { connectionsBeside } from '../../worker/connections.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const serverOldest = 150_000

/** The first minor releases in which row security keeps statistics to itself (CVE-2025-8713), by major release. */
const minorsWithFixes: ReadonlyMap<number, number> = new Map([
  [15, 14],
  [16, 10],
  [17, 6],
])

export function checkVersion({ version, version_number, is_standby }: ServerFacts): Finding {
  if (version_number < serverOldest) {
    return fail(
      'server',
      `PostgreSQL ${version} is older than 15.`,
      'Upgrade the server, or use another one.',
    )
  }
  if (is_standby)
    return fail(
      'server',
      `PostgreSQL ${version} is a standby, which is read-only.`,
      'Connect to the primary.',
    )
  const [major, minor] = [Math.floor(version_number / 10_000), version_number % 10_000]
  const fixed = minorsWithFixes.get(major)
  if (fixed !== undefined && minor < fixed)
    return warn(
      'server',
      `PostgreSQL ${version} lacks fixes to row security, on which tenants rely.`,
      `Upgrade it to ${major}.${fixed} or later, within its major release.`,
    )
  return ok('server', `PostgreSQL ${version}`)
}

const clockWarnMs = 2_000
/** Ids carry the time of the client; SQL refuses those a day off. */
const clockFailMs = 12 * 3_600_000

/** @param localMs this machine's clock at the middle of the question, whose answer took `tripMs` */
export function checkClock({ now }: ServerFacts, localMs: number, tripMs: number): Finding {
  const off = now.getTime() - localMs
  const size = Math.abs(off)
  const words = `This machine's clock is ${durationWords(size)} ${off > 0 ? 'behind' : 'ahead of'} the database's`
  const remedy = 'Synchronise the clocks (NTP).'
  if (size > clockFailMs)
    return fail('clock', `${words}: ids of runs more than a day off are refused.`, remedy)
  if (size > clockWarnMs + tripMs) return warn('clock', `${words}: runs are listed out of order.`, remedy)
  return ok('clock', size <= tripMs ? "The clock agrees with the database's" : words)
}

export function checkPooler(isPooled: boolean, hasDirect: boolean): Finding {
  if (!isPooled) return ok('pooler', 'The connection is direct')
  if (hasDirect)
    return ok('pooler', 'Behind a pooler, with `directDatabase` for notifications and the liveness lock')
  return warn(
    'pooler',
    'The connection goes through a pooler: no notifications, so tasks are looked for twice a second; no liveness lock, so a dead worker is noticed when its lease ends.',
    'Write `directDatabase` into millrace.config.ts: the address of the server itself.',
  )
}

/** A rebuild that was killed leaves an index that each write pays for and nobody reads. */
export function checkIndexes(leftOver: readonly LeftOverIndex[]): Finding {
  if (leftOver.length === 0) return ok('indexes', 'No index is left over from a rebuild that was killed')
  const names = leftOver.map(({ name }) => name).join(', ')
  return warn(
    'indexes',
    `${count(leftOver.length, 'index', 'indexes')} left over from a rebuild that was killed: ${names}.`,
    'Drop it with: npx millrace migrate',
  )
}

export function checkRoles(missing: readonly string[]): Finding {
  if (missing.length === 0) return ok('roles', 'All roles of Millrace exist')
  return warn(
    'roles',
    `${count(missing.length, 'role is', 'roles are')} missing: ${missing.join(', ')}.`,
    'Let somebody with CREATEROLE run what `npx millrace migrate --plan` prints, then migrate again.',
  )
}

/** @param strongest the role in whose name the login may act */
export function checkLogin(strongest: string | undefined): Finding {
  if (strongest !== undefined) return ok('login', `The login may act as millrace_${strongest}`)
  return warn(
    'login',
    'The login may act in the name of no role of Millrace: servers and commands under it change nothing.',
    'Let an administrator of the database give it one, such as: grant millrace_admin to app',
  )
}

const slotsDefault = 20
const handlersMax = 20

/** How many connections a worker may open. */
export function workerConnections({
  slots = slotsDefault,
  connectionsMax,
}: Pick<WorkerConfig, 'slots' | 'connectionsMax'>): number {
  return (connectionsMax ?? Math.min(slots, handlersMax)) + connectionsBeside
}

/** RR-13: what the live workers, and one more of this configuration, may open together, against what the server allows. */
export function checkConnections(
  server: ServerFacts,
  workers: readonly WorkerRow[],
  config: WorkerConfig,
): Finding {
  const one = workerConnections(config)
  const ours = workers.reduce((sum, { slots }) => sum + workerConnections({ ...config, slots }), one)
  const others = server.connections_open - server.connections_ours
  const words = `${count(workers.length, 'live worker', 'live workers')} and one more may open ${ours} connections, others hold ${others}, the server allows ${server.connections_max}`
  const remedy =
    'Lower `worker.connectionsMax` in millrace.config.ts, raise max_connections, or connect through a pooler.'
  if (ours + others > server.connections_max) return fail('connections', `${words}.`, remedy)
  if ((ours + others) * 10 > server.connections_max * 9) return warn('connections', `${words}.`, remedy)
  return ok('connections', words)
}
