// Owns the account of a run in words and times: what started it, its steps, who touched it, where its time went, what it waits for.
import { shown as shownFields } from './run-cipher.ts'
import { errorWords } from './account-attempts.ts'
import type { AccountError, AccountEvent, AccountRun, RunAccount } from './account-data.ts'
import { isBatch } from './account-batches.ts'
import { callerWords, childLines, messageWords } from './account-parked.ts'
import { isKept, keptWords } from './account-kept.ts'
import { isLimitWait } from './account-limits.ts'
import { lineageLines, originWords } from './account-lineage.ts'
import { reportLines } from './account-reports.ts'
import { stepLines, workerLines } from './account-steps.ts'
import { isTriggering, laterTriggers, triggerWords } from './account-trigger.ts'
import { waitLines } from './account-waits.ts'
import type { RunState } from './state.ts'
import { fill, pad } from './text-fill.ts'
import { clockOf, count, dateWords, durationWords, grouped, oneLine, runWords } from './wording.ts'

/** Tells the account in words and times: lines of at most 80 columns, all times UTC. */
export function tellAccount(account: RunAccount): string {
  const sections = [
    headLines(account),
    stepLines(account),
    childLines(account),
    lineageLines(account),
    reportLines(account),
    eventLines(account),
    timeLines(account),
    waitLines(account),
    workerLines(account),
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

function headLines(account: RunAccount): string[] {
  const { run, at, time } = account
  const began = `Started ${originWords(account) ?? triggerWords(account) ?? startedVia(run)} by ${run.started_by} on ${dateWords(run.created_at)} UTC${withKeys(run)}.`
  const ended =
    run.finished_at === null
      ? `${stateSentence(run)} for ${durationWords(time.total_ms)}, seen ${dateWords(at)} UTC.`
      : `${stateSentence(run)} after ${durationWords(time.total_ms)}, on ${dateWords(run.finished_at)} UTC.`
  return [
    `Run ${run.id}`,
    ...fill(
      `${run.pipeline}, version ${run.version}: ${run.state}${run.paused_at === null ? '' : ', paused'}`,
    ),
    '',
    ...fill(began),
    ...(run.available_at === null
      ? []
      : fill(`Its start was put off until ${dateWords(run.available_at)} UTC.`)),
    ...startsLines(account),
    ...laterTriggers(account).flatMap(({ at, words }) => atTime(account, at, words)),
    ...fill(ended),
    ...outcomeLines(run),
    ...errorLines(run),
  ]
}

/** Of how many starts a rule made it. */
function startsLines({ starts, run }: RunAccount): string[] {
  if (starts === null || starts.starts < 2) return []
  const last = clockOf(run.created_at, starts.last_at)
  return fill(
    `It is of ${starts.starts} starts, made one by ${starts.kind} '${starts.rule}'; the last came at ${last}, and its input is that one's.`,
  )
}

function startedVia(run: AccountRun): string {
  const { started_via } = run
  const caller = callerWords(run)
  if (caller !== undefined) return caller
  if (started_via === 'sql') return 'from SQL'
  if (started_via === 'cli') return 'on the command line'
  if (started_via === 'sdk') return 'through the SDK'
  if (started_via === 'http') return 'over HTTP'
  if (started_via === 'outside') return 'by an executor outside,'
  return `by ${started_via},`
}

function withKeys({ key, tenant, idempotency_key, priority }: AccountRun): string {
  const parts = [
    key === null ? '' : `run key ${oneLine(key)}`,
    tenant === null ? '' : `tenant ${oneLine(tenant)}`,
    idempotency_key === null ? '' : `idempotency key ${oneLine(idempotency_key)}`,
    priority === 5 ? '' : `priority ${priority}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`
}

const sentences: Record<RunState, string> = {
  pending: 'Has not begun',
  running: 'Has been running',
  waiting: 'Has been waiting',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
}

function stateSentence({ state, paused_at }: AccountRun): string {
  return paused_at === null ? sentences[state] : 'Has been live (now paused)'
}

/** What a run that is live still, or was stopped on its way, was to end as. */
function outcomeLines({ outcome, outcome_error, finished_at, state }: AccountRun): string[] {
  if (outcome === null || (finished_at !== null && state === outcome)) return []
  const words = {
    completed: 'Its steps are completed',
    failed: 'It has failed',
    cancelled: 'It was cancelled',
  }[outcome]
  const error = outcome_error === null ? '' : ` (${errorWords(outcome_error)})`
  const next =
    finished_at === null ? 'and ends once what follows that has ended' : 'and what followed that was stopped'
  return fill(`${words}${error}, ${next}.`)
}

function errorLines({ error, is_dead_letter }: AccountRun): string[] {
  if (error === null) return []
  const place =
    error.step === undefined
      ? ''
      : ` in ${error.step}${error.item === undefined ? '' : ` item ${error.item}`}`
  const left = is_dead_letter ? ' It is kept as a dead letter.' : ''
  return fill(`The error${place}: ${errorWords(error)}.${left}`)
}

const eventVerbs: Readonly<Record<string, string>> = {
  'run.paused': 'paused the run',
  'run.resumed': 'resumed the run',
  'run.cancelled': 'cancelled the run',
  'run.undo_stopped': 'stopped the undoing',
  'run.continued': 'continued the run as another',
  'run.migrated': 'moved the run',
  'run.redriven': 'redrove the run',
  'run.forked': 'forked the run',
  'run.rerun': 'ran it again',
  'run.prioritized': 'changed the priority',
  'limit.opened': 'stopped others for a while, under limit',
  'run.report_gap': 'could not reach the database',
  'key.paused': 'paused the run key, after failures in a row',
  'key.resumed': 'resumed the run key',
  'callback.delivered': 'delivered a callback',
  'callback.given_up': 'gave up a callback',
  'callback.disabled': 'disabled a callback, whose address is gone',
  'callback.resent': 'had a callback sent once more',
  'pipeline.paused': 'paused the pipeline, after failures in a row',
  'step.aged': 'made more urgent what had waited',
  'run.took_place': 'began it in the place',
  'change.loop_cut': 'cut a loop: a change by this run would have started again what had led to it, by',
  'schedule.paused': 'paused the schedule, after failures in a row',
  'secret.overdue': 'read a secret that is older than it may be,',
  'firing.overdue': 'found it without an end by the deadline of its schedule',
  'firing.verified': 'found what its schedule expects of it',
  'firing.unverified': 'did not find what its schedule expects of it',
}

function eventLines(account: RunAccount): string[] {
  const kept = account.events.listed.filter(isKept)
  const people = account.events.listed.filter(
    (event) => event.kind !== 'step.log' && !isKept(event) && !isTold(event) && !isTriggering(event),
  )
  const toldElsewhere = account.events.listed.filter(isTold)
  const logs = account.events.listed.filter(({ kind }) => kind === 'step.log')
  const triggers = account.events.listed.filter(isTriggering)
  const left =
    account.events.total - people.length - kept.length - logs.length - toldElsewhere.length - triggers.length
  return [
    ...(people.length === 0
      ? []
      : ['What people did', ...people.flatMap((event) => eventLine(account, event))]),
    ...(people.length > 0 && kept.length > 0 ? [''] : []),
    ...(kept.length === 0
      ? []
      : [
          'What the steps kept and reused',
          ...kept.flatMap((event) => atTime(account, event.at, keptWords(event))),
        ]),
    ...(people.length + kept.length > 0 && logs.length > 0 ? [''] : []),
    ...(logs.length === 0
      ? []
      : ['What the steps logged', ...logs.flatMap((event) => logLine(account, event))]),
    ...(left > 0 ? [`  … and ${count(left, 'more entry', 'more entries')}`] : []),
  ]
}

/** What is told with the attempt that it is about. */
function isTold(event: AccountEvent): boolean {
  return isLimitWait(event) || isBatch(event)
}

function eventLine(account: RunAccount, event: AccountEvent): string[] {
  const { at, actor, kind, detail } = event
  const message = messageWords(event)
  if (message !== undefined) return atTime(account, at, message)
  const reason = typeof detail['reason'] === 'string' ? `: ${oneLine(detail['reason'])}` : ''
  const gap = kind === 'run.report_gap' && 'from' in detail ? gapWords(account, detail) : ''
  const move =
    kind === 'run.migrated'
      ? ` from version ${String(detail['from'])} to version ${String(detail['to'])}`
      : ''
  return atTime(
    account,
    at,
    `${actor} ${eventVerbs[kind] ?? kind}${changeWords(event)}${reason}${gap}${move}`,
  )
}

/** What a change leads to: the run that was made, what had failed, the other priority. */
function changeWords(event: AccountEvent): string {
  const { kind, step, detail } = event
  if (kind === 'run.prioritized') return ` from ${String(detail['from'])} to ${String(detail['to'])}`
  if (kind === 'step.aged') return agedWords(step, detail)
  if (kind === 'run.took_place')
    return ` of ${runWords(detail['of'])}, by rule '${String(detail['rule'])}' on starts`
  if (kind === 'limit.opened')
    return ` '${String(detail['limit'])}'${typeof detail['key'] === 'string' ? ` of '${oneLine(detail['key'])}'` : ''}, by its failure`
  if (kind === 'change.loop_cut') return ` watch '${String(detail['watch'])}'${rowWords(detail)}`
  if (kind === 'secret.overdue') return secretWords(event)
  const made = typeof detail['as'] === 'string' ? ` as run ${detail['as']}` : ''
  const failed = detail['error'] as AccountError | undefined
  return `${made}${failed === undefined || kind !== 'run.redriven' ? '' : `, which had failed (${errorWords(failed)})`}`
}

/** ' of store, from priority 7 to 6': or how many of its tasks, where it is a map. */
function agedWords(step: string | null, { from, to, tasks }: AccountEvent['detail']): string {
  const several = typeof tasks === 'number' && tasks > 1 ? `${grouped(tasks)} tasks of ` : ''
  return `: ${several}${step ?? 'it'}, from priority ${String(from)} to ${String(to)}`
}

/** ' of {"id":1}', of the table where that was changed as a whole; nothing where the key of the row is not shown. */
function rowWords({ key }: AccountEvent['detail']): string {
  if (key === undefined) return ''
  return ` of ${key === null ? 'the table' : oneLine(JSON.stringify(key))}`
}

/** ' 'mail/token' for load: changed on …, and good for 90 d'. */
function secretWords({ step, item, detail }: AccountEvent): string {
  const { name, changed_at: changedAt, max_age_seconds: seconds } = detail
  const place = `${step ?? 'it'}${item === null ? '' : ` item ${item}`}`
  const age =
    typeof changedAt === 'string' && typeof seconds === 'number'
      ? `: changed on ${dateWords(changedAt)} UTC, and good for ${durationWords(1_000 * seconds)}`
      : ''
  return ` '${String(name)}' for ${place}${age}`
}

/** What an executor outside tells of the time in which it could report nothing. */
function gapWords(
  account: RunAccount,
  { from, to, count: late, refused, dropped }: AccountEvent['detail'],
): string {
  const [began, ended] = [from, to].map((at) => clockOf(account.run.created_at, String(at)))
  return ` from ${began} to ${ended}: ${String(late)} reports came late, ${String(refused)} were refused as too late, ${String(dropped)} were dropped`
}

function logLine(account: RunAccount, { at, step, item, detail }: AccountEvent): string[] {
  const place = `${step ?? ''}${item === null ? '' : ` item ${item}`}`
  const { fields, message: said } = detail
  // Without the right to payloads there is no more than that something was said.
  if (said === undefined) return atTime(account, at, `${place}: a line that is not shown`)
  const message = typeof said === 'string' ? said : ''
  const shown =
    typeof fields === 'object' && fields !== null && Object.keys(fields).length > 0
      ? JSON.stringify(shownFields(fields))
      : ''
  return atTime(account, at, `${place}: ${oneLine(`${message} ${shown}`)}`)
}

function atTime(account: RunAccount, at: string, text: string): string[] {
  const time = clockOf(account.run.created_at, at)
  return fill(`${time}  ${text}`, { first: '  ', next: ' '.repeat(time.length + 4) })
}

function timeLines({ time }: RunAccount): string[] {
  const parts: ReadonlyArray<readonly [string, number]> = [
    ['running', time.running_ms],
    ['in the queue', time.queue_ms],
    ['waiting for retries', time.retry_ms],
    ['parked', time.parked_ms],
    ['waiting for its start', time.delayed_ms],
    ['paused', time.paused_ms],
    ['between steps', time.other_ms],
  ]
  if (time.total_ms <= 0) return []
  const always = new Set(['running', 'in the queue', 'waiting for retries'])
  return [
    'Where the time went',
    ...parts
      .filter(([name, ms]) => always.has(name) || Math.round(ms) > 0)
      .map(([name, ms]) => timeLine(name, ms, time.total_ms)),
  ]
}

const barColumnsMax = 30

function timeLine(name: string, ms: number, totalMs: number): string {
  const share = ms / totalMs
  const bar = '█'.repeat(Math.round(share * barColumnsMax))
  const percent = `${Math.round(share * 100)} %`
  return `  ${pad(name, 22)}${pad(durationWords(ms), 10, 'right')}  ${pad(percent, 5, 'right')}  ${bar}`.trimEnd()
}
