// One look at all that somebody follows: runs, lists of runs and queues, in one statement.
import type { Caller } from './call.ts'
import { type RunFilter, type RunRow, runQuery } from './run-list.ts'

/** A run as it is followed; times are ISO 8601. */
export interface FollowedRun extends Omit<RunRow, 'created_at' | 'started_at' | 'finished_at' | 'paused_at'> {
  readonly created_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly paused_at: string | null
}

export interface FollowedRunWithParts extends FollowedRun {
  /** How many parts its stream has. */
  readonly parts: number
}

interface FollowedQueue {
  readonly queue: string
  readonly ready: number
  readonly held: number
}

export interface Followed {
  readonly runs: readonly string[]
  readonly lists: readonly RunFilter[]
  readonly queues: readonly string[]
}

/** Each in the order in which it was asked for; a run that is not there is null. */
export interface LookAnswer {
  readonly runs: ReadonlyArray<FollowedRunWithParts | null>
  readonly lists: ReadonlyArray<readonly FollowedRun[]>
  readonly queues: readonly FollowedQueue[]
}

interface FoundRow {
  readonly kind: 'run' | 'list' | 'queue'
  readonly place: number
  readonly found: unknown
}

// Of a queue no more than 10,000 tasks are looked at, so that a long one costs no more.
const ownText = `select 'run' as kind, w.place::int, to_jsonb(seen) as found
    from unnest($1::uuid[]) with ordinality w(id, place)
    cross join lateral (
      select r.id, r.slug as pipeline, r.version, r.tenant, r.key, r.state, r.created_at, r.started_at, r.finished_at, r.paused_at, r.revision,
             r.error - array['stack', '$encrypted'] as error, coalesce(m.parts, 0) as parts
        from millrace.run r left join millrace.run_metadata m on m.run_id = r.id
       where r.id = w.id) seen
  union all
  select 'queue', q.place::int, jsonb_build_object('queue', q.name, 'ready', seen.ready, 'held', seen.held)
    from unnest($2::text[]) with ordinality q(name, place)
    cross join lateral (
      select count(*) filter (where t.worker_id is null) as ready, count(t.worker_id) as held
        from (select t.worker_id from millrace.handler h join millrace.task t on t.handler = h.id where h.queue = q.name limit 10000) t) seen`

/** @param caller one that prepares nothing: each number of lists is another statement */
export async function lookAt(caller: Caller, { runs, lists, queues }: Followed): Promise<LookAnswer> {
  const values: unknown[] = [runs, queues]
  const texts = lists.map((filter, index) => {
    const { statement, values: own } = runQuery(filter)
    const text = shifted(statement.text, values.length)
    values.push(...own)
    return ` union all ${listText(index + 1, text)}`
  })
  const statement = { name: 'millrace_look_at', text: [ownText, ...texts].join('') }
  const found = await caller.call<FoundRow>(statement, values)
  return {
    runs: inPlaces<FollowedRunWithParts | null>(found, 'run', runs.length, null),
    lists: inPlaces<readonly FollowedRun[]>(found, 'list', lists.length, []),
    queues: inPlaces<FollowedQueue>(found, 'queue', queues.length, { queue: '', ready: 0, held: 0 }),
  }
}

function listText(place: number, text: string): string {
  const found = `coalesce(jsonb_agg(to_jsonb(seen) order by seen.id desc), '[]')`
  return `(select 'list', ${place}, ${found} from (${text}) seen)`
}

/** Its parameters after those that stand before it. */
function shifted(text: string, by: number): string {
  return text.replaceAll(/\$(\d+)/g, (_, number: string) => `$${Number(number) + by}`)
}

function inPlaces<T>(found: readonly FoundRow[], kind: FoundRow['kind'], count: number, missing: T): T[] {
  const places = Array.from({ length: count }, () => missing)
  for (const row of found) if (row.kind === kind) places[row.place - 1] = row.found as T
  return places
}
