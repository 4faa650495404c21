// An account as a text that is the same in every run of a test: its times begin on one day, its ids are counted, its worker has no name.
import { tellAccount } from '../core/account.ts'
import type { RunAccount } from '../core/account-data.ts'
import { dateWords } from '../core/wording.ts'

const began = '2000-01-01T00:00:00.000Z'
const isoTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})$/
const isoTimes = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})/g
/** As a reason tells it. */
const toldTimes = /(\d{4}-\d{2}-\d{2}) at (\d{2}:\d{2}:\d{2}\.\d{3})/g
const uuids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi

/** Tells the account with its times moved to the first of January 2000, when the run starts. */
export function tellStableAccount(account: RunAccount): string {
  const ids = new Map<string, string>()
  const movedMs = Date.parse(began) - Date.parse(account.run.created_at)
  return tellAccount(
    stabilise(account, {
      ids,
      movedMs,
      login: account.run.started_by,
      isSaid: false,
      isTrigger: false,
    }) as RunAccount,
  )
}

interface Stabilising {
  readonly ids: Map<string, string>
  readonly movedMs: number
  /** Under which the test is connected. */
  readonly login: string
  /** Within what a step has logged, where times are those of the real clock. */
  readonly isSaid: boolean
  /** Within what started the run. */
  readonly isTrigger: boolean
}

function stabilise(value: unknown, how: Stabilising): unknown {
  if (typeof value === 'string') return stableText(value, how)
  if (Array.isArray(value)) return value.map((entry) => stabilise(entry, how))
  if (typeof value !== 'object' || value === null) return value
  const kind: unknown = Reflect.get(value, 'kind')
  const within = { ...how, isSaid: how.isSaid || kind === 'step.log', isTrigger: kind === 'run.triggered' }
  const entries = Object.entries(value).map(([name, member]) => [
    name,
    stableMember(name, member, name === 'detail' ? within : how),
  ])
  return Object.fromEntries(entries)
}

function stableMember(name: string, member: unknown, how: Stabilising): unknown {
  if (name === 'worker') return stableWorker(member)
  // The server's own number of it.
  if (how.isTrigger && name === 'transaction') return 'N'
  const isPerson = name === 'started_by' || name === 'actor'
  return isPerson && member === how.login ? 'somebody' : stabilise(member, how)
}

function stableText(text: string, { ids, movedMs, isSaid }: Stabilising): string {
  if (!isSaid && isoTime.test(text)) return new Date(Date.parse(text) + movedMs).toISOString()
  return text
    .replaceAll(toldTimes, (told, date, time) =>
      isSaid ? told : dateWords(new Date(Date.parse(`${date}T${time}Z`) + movedMs)),
    )
    .replaceAll(isoTimes, 'TIME')
    .replaceAll(uuids, (id) => {
      const known = ids.get(id) ?? `ID-${ids.size + 1}`
      ids.set(id, known)
      return known
    })
}

/** Who is outside keeps the name that a test has given. */
function stableWorker(worker: unknown): unknown {
  if (typeof worker !== 'object' || worker === null) return worker
  if (Reflect.get(worker, 'kind') !== 'worker') return worker
  return { ...worker, name: 'a worker', host: 'a host', process_id: null }
}
