// Redrives and dead letters over HTTP.
import type { HttpClient } from '../../client/http-client.ts'
import type { DeadLetterRow } from '../../db/dead-letters.ts'
import type {
  FailureRow,
  PlanRow,
  RedriveAnswerRow,
  RedriveItemRow,
  RedriveStandingRow,
} from '../../db/redrives.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, rowOf, valueOf } from './statements.ts'

interface Filter {
  readonly runs?: readonly string[]
  readonly pipeline?: string
  readonly tenant?: string
  readonly step?: string
  readonly code?: string
  readonly fingerprint?: string
  readonly since?: string
  readonly until?: string
}

type Restart = 'failed' | 'start' | 'step'
type Version = 'original' | 'latest'

export function redriveStatements(client: HttpClient): RemoteStatements {
  const known: Known = { settled: new Map(), ordered: new Map() }
  return { ...starting(client, known), ...looking(client, known), ...listing(client) }
}

/** What an order has answered, so that nobody has to ask for it, or may not. */
interface Known {
  /** Of the redrive of one run, which is answered at once: what became of it. */
  readonly settled: Map<string, RedriveItemRow>
  /** How it stood when it was ordered, for the first look. */
  readonly ordered: Map<string, Standing>
}

function starting(client: HttpClient, { settled, ordered }: Known): RemoteStatements {
  return {
    millrace_start_redrive: async (
      filter: string,
      restart: Restart,
      step: string | null,
      version: Version,
      input: string | null,
      rate: number | null,
      reason: string | null,
      idempotencyKey: string | null,
      id: string,
    ): Promise<RedriveAnswerRow[]> => {
      const { runs, ...conditions } = JSON.parse(filter) as Filter
      const how = { from: fromOf(restart, step), version, ...given({ reason }) }
      const key = idempotencyKey === null ? {} : { idempotencyKey }
      const [run] = runs ?? []
      if (run === undefined) {
        const body = { filter: conditions, ...how, ...given({ rate }) }
        const standing = standingOf(await client.startRedrive({ body, ...key }))
        const { id: redrive_id, total, done, refused } = standing
        ordered.set(redrive_id, standing)
        return [{ created: true, redrive_id, total, done, refused }]
      }
      const body = { ...how, ...given({ input: valueOf(input).value }) }
      const item = itemOf(run, await client.redriveRun({ params: { run }, body, ...key }))
      settled.set(id, item)
      const done = item.state === 'done' ? 1 : 0
      return [{ created: true, redrive_id: id, total: 1, done, refused: 1 - done }]
    },
    millrace_plan_redrive: async (
      filter: string,
      restart: Restart,
      step: string | null,
      version: Version,
    ) => {
      const { runs, refused } = await client.planRedrive({
        body: { filter: JSON.parse(filter) as Filter, from: fromOf(restart, step), version },
      })
      return [
        { reason: null, runs },
        ...Object.entries(refused).map(([reason, n]): PlanRow => ({ reason, runs: n })),
      ]
    },
    millrace_abort_redrive: async (redrive: string) => {
      const { changed } = await client.abortRedrive({ params: { redrive }, body: {} })
      return [{ aborted: changed }]
    },
  }
}

function itemOf(run: string, answer: Awaited<ReturnType<HttpClient['redriveRun']>>): RedriveItemRow {
  const { redriven, reason = null, detail = null } = answer
  return {
    run_id: run,
    state: redriven ? 'done' : 'refused',
    reason,
    detail,
    new_run_id: answer.run === null || answer.run.id === run ? null : answer.run.id,
  }
}

function looking(client: HttpClient, { settled, ordered }: Known): RemoteStatements {
  return {
    millrace_list_redrives: async (open: boolean, limit: number) =>
      (await firstOf(client.listRedrives, open ? { query: { state: 'open' } } : {}, limit)).map(standingOf),
    millrace_read_redrive: async (redrive: string) => {
      const first = ordered.get(redrive)
      ordered.delete(redrive)
      if (first !== undefined) return [first]
      return (await oneOrNone(client.showRedrive({ params: { redrive } }))).map(standingOf)
    },
    millrace_list_redrive_items: async (redrive: string, limit: number): Promise<RedriveItemRow[]> => {
      const known = settled.get(redrive)
      if (known !== undefined) return [known]
      const { items } = await client.listRedrivenRuns({ params: { redrive }, query: { limit } })
      return items.map(({ run, new_run, ...rest }) => ({ ...rest, run_id: run, new_run_id: new_run }))
    },
  }
}

/** What there is to redrive. */
function listing(client: HttpClient): RemoteStatements {
  return {
    millrace_list_dead_letters: async (
      pipeline: string | null,
      tenant: string | null,
      fingerprint: string | null,
      _pipelines: null,
      _failedAt: null,
      _run: null,
      limit: number,
    ) => {
      const query = given({ pipeline, tenant, fingerprint })
      return (await firstOf(client.listDeadLetters, { query }, limit)).map((told) =>
        rowOf<Omit<DeadLetterRow, 'position'>>(told),
      )
    },
    millrace_list_failures: async (
      pipeline: string | null,
      tenant: string | null,
      since: Date | null,
      limit: number,
    ) => {
      const query = given({ pipeline, tenant, since: since?.toISOString(), limit })
      const { items } = await client.listFailures({ query })
      return items.map(({ last_run, ...group }) =>
        rowOf<Omit<FailureRow, 'last_state'>>({ ...group, last_run_id: last_run }),
      )
    },
  }
}

function fromOf(restart: Restart, step: string | null): 'failed' | 'start' | { readonly step: string } {
  return restart === 'step' ? { step: step ?? '' } : restart
}

type Told = Awaited<ReturnType<HttpClient['showRedrive']>>
type Standing = Omit<RedriveStandingRow, 'restart' | 'step' | 'version'>

function standingOf(told: Told): Standing {
  return rowOf<Standing>(told)
}
