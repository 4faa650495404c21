// Owns what of a tenant and of a pipeline a request may name: a key that is bound to one names no other.
import type { Actor } from '../api/access.ts'
import { followAccess } from '../api/streams.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import type { AccountEvent, RunAccount } from '../core/account-data.ts'
import { isBound, ownRuns } from './authorize.ts'
import type { Within } from './route.ts'

/** The tenant that is meant: the one that is named, or that the key is bound to. @throws MillraceError not_allowed */
export function tenantWithin(within: Within, tenant: string | undefined): string | undefined {
  if (within.tenant !== null && tenant !== undefined && tenant !== within.tenant)
    throw new MillraceError('not_allowed', 'You may not do this. The key is bound to another tenant.')
  return within.tenant ?? tenant
}

/** Of a pipeline that the key is not bound to nothing is said, not even that it is there. @throws MillraceError pipeline_unknown */
export function checkPipeline(within: Within, pipeline: string): void {
  if (within.pipelines === null || within.pipelines.includes(pipeline)) return
  throw new MillraceError('pipeline_unknown', `There is no pipeline '${pipeline}'.`, { fields: { pipeline } })
}

/** A run as sentences name it, with its step or its pipeline; of several that failed only the last one. */
const namedRun =
  /(?:(?:'[^']*'(?: item \d+)? of )?run |(?<=\bthe last one ))([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?: of '[^']*')?/g

/** The key whose turn is the next, as the sentence on turns ends. A key may hold anything, these very words too: so all of it goes, up to the last. */
const namedTurn = /(?<= first), that of '[^]*' next(?=\.)/

/** What stands in the way of a run may be runs and keys of others: whoever is bound learns that they are, and not which. */
export async function withoutOthers(actor: Actor, reads: Caller, sentence: string): Promise<string> {
  return (await hidingOthers(actor, reads, [sentence]))(sentence)
}

/** The same for many sentences, after one look at the runs that they name. */
export async function hidingOthers(
  actor: Actor,
  reads: Caller,
  sentences: readonly string[],
): Promise<(sentence: string) => string> {
  if (!isBound(actor)) return (sentence) => sentence
  const named = new Set(sentences.flatMap(runsIn))
  const own = await ownRuns(followAccess.run, actor, [...named], reads)
  return (sentence) => naming(own, sentence)
}

function runsIn(sentence: string): string[] {
  return [...sentence.matchAll(namedRun)].map(([, run]) => run!)
}

/** The sentence with no other runs by their names than these, and with no other key. */
function naming(own: ReadonlySet<string | null>, sentence: string): string {
  return sentence
    .replace(namedTurn, '')
    .replaceAll(namedRun, (words, run: string) => (own.has(run) ? words : 'another run'))
}

/** A run that was called by one of others says nothing of it to whoever is bound. */
export async function withoutOtherParent<Row extends { readonly parent_run_id: string | null }>(
  actor: Actor,
  reads: Caller,
  row: Row,
): Promise<Row> {
  const { parent_run_id: parent } = row
  if (!isBound(actor) || parent === null) return row
  const own = await ownRuns(followAccess.run, actor, [parent], reads)
  return own.has(parent) ? row : { ...row, parent_run_id: null }
}

/** What a run called, waits for, was called by and has in its history may be runs of others: whoever is bound learns how many there are, and not which. */
export async function withoutOtherRuns(
  actor: Actor,
  reads: Caller,
  account: RunAccount,
): Promise<RunAccount> {
  if (!isBound(actor)) return account
  const { run, pipeline, children, tasks, attempts, events } = account
  const named = [
    run.parent_run_id,
    ...children.listed.map((child) => child.run),
    ...tasks.listed.flatMap(({ waits }) => waits.map((wait) => wait.child_run)),
    ...attempts.listed.flatMap(({ reason }) => runsIn(reason ?? '')),
    ...events.listed.flatMap((event) => [...namedBy(event), ...runsIn(String(event.detail['reason']))]),
    ...runsIn(pipeline.pause_reason ?? ''),
  ].filter((id) => id !== null)
  const own = await ownRuns(followAccess.run, actor, named, reads)
  return {
    ...account,
    run: own.has(run.parent_run_id) ? run : { ...run, ...noCaller },
    pipeline: { ...pipeline, pause_reason: reasonFor(own, pipeline.pause_reason) },
    children: { ...children, listed: children.listed.filter((child) => own.has(child.run)) },
    tasks: {
      ...tasks,
      listed: tasks.listed.map((task) => ({
        ...task,
        waits: task.waits.map((wait) => (own.has(wait.child_run) ? wait : { ...wait, child_run: null })),
      })),
    },
    attempts: {
      ...attempts,
      listed: attempts.listed.map((attempt) => ({
        ...attempt,
        reason: reasonFor(own, attempt.reason),
      })),
    },
    events: {
      ...events,
      listed: events.listed.map((event) => ({ ...event, detail: detailFor(own, event) })),
    },
  }
}

const noCaller = {
  parent_run_id: null,
  parent_step: null,
  parent_item: null,
  parent_call: null,
  parent_place: null,
  detached: null,
} as const

function reasonFor(own: ReadonlySet<string | null>, sentence: string | null): string | null {
  return sentence === null ? null : naming(own, sentence)
}

/** Where entries of the history name runs: which computed a value, whose place it took, what was made of it, which were in a batch with it. */
const runFields: Readonly<Record<string, string>> = {
  'cache.hit': 'run',
  'run.took_place': 'of',
  'run.redriven': 'as',
  'run.forked': 'as',
  'run.rerun': 'as',
  'run.continued': 'as',
  'step.batched': 'with',
}

/** The runs that an entry names, in the field of its kind. */
function namedBy({ kind, detail }: AccountEvent): string[] {
  const field = runFields[kind]
  return field === undefined ? [] : [detail[field]].flat().filter((run) => typeof run === 'string')
}

/** What an entry says, with null in the place of a run of others, and without those of several. */
function detailFor(own: ReadonlySet<string | null>, event: AccountEvent): AccountEvent['detail'] {
  const { kind, detail } = event
  const { reason } = detail
  const said = typeof reason === 'string' ? { ...detail, reason: naming(own, reason) } : detail
  const field = runFields[kind]
  if (field === undefined || detail[field] === undefined) return said
  const left = namedBy(event).filter((run) => own.has(run))
  return { ...said, [field]: Array.isArray(detail[field]) ? left : (left[0] ?? null) }
}
