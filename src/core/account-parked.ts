// Owns how an account tells waiting: what a parked step waits for, the signals and decisions that came, the runs that were called.
import type {
  AccountChild,
  AccountEvent,
  AccountRun,
  AccountTask,
  AccountWait,
  RunAccount,
} from './account-data.ts'
import { fill } from './text-fill.ts'
import { clockOf, count, durationWords, grouped, msBetween, oneLine } from './wording.ts'

/** What a parked task waits for, each thing with its limit. */
export function parkedWords(account: RunAccount, { waits }: AccountTask): string {
  if (waits.length === 0) return 'parked, and about to go on'
  return waits.map((wait) => `${waitWords(wait)}${limitWords(account, wait)}`).join('; or ')
}

function waitWords(wait: AccountWait): string {
  switch (wait.kind) {
    case 'sleep':
      return 'sleeps'
    case 'signal':
      return `waits for signal ${(wait.signals ?? []).map(oneLine).join(' or ')}`
    case 'approval':
      return `waits for approval ${oneLine(wait.name)}${askedWords(wait)}`
    case 'call':
      return wait.child_run === null
        ? `waits for ${count(wait.children_left ?? 0, 'called run', 'called runs')}`
        : `waits for run ${wait.child_run}`
    case 'http':
      return `waits for the answer of ${oneLine(wait.name)}`
  }
}

/** ' (0 of 2, from ada or finance)', with the command that decides. */
function askedWords({ approval, approvals, quorum, people, roles }: AccountWait): string {
  const deciders = [...(people ?? []), ...(roles ?? [])].map(oneLine)
  const from = deciders.length === 0 ? '' : `, from ${deciders.join(' or ')}`
  const needed = quorum === null || quorum === 1 ? '' : `, ${approvals} of ${quorum}`
  return `${needed}${from}: npx millrace approval approve ${approval}`
}

function limitWords(account: RunAccount, { kind, due_at }: AccountWait): string {
  if (due_at === null) return ''
  const left = msBetween(account.at, due_at)
  const time = `${clockOf(account.run.created_at, due_at)} (${left > 0 ? `in ${durationWords(left)}` : 'due now'})`
  return kind === 'sleep' ? ` until ${time}` : `, at most until ${time}`
}

function wordOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A signal or an approval of the history in a sentence; undefined for events of another kind. */
export function messageWords({ actor, kind, step, item, detail }: AccountEvent): string | undefined {
  const text = (key: string): string => oneLine(wordOf(detail[key]))
  const place = ` for ${step}${item === null ? '' : ` item ${item}`}`
  const after = (key: string): string => (detail[key] === undefined ? '' : `: ${text(key)}`)
  switch (kind) {
    case 'signal.received':
      return `${actor} sent signal ${text('name')}${detail['to'] === 'name' ? ', taken up' : ''}${place}`
    case 'approval.asked':
      return `approval ${text('name')} was asked${place}${after('title')}`
    case 'approval.decided':
      return `${text('by')} ${detail['decision'] === 'approve' ? 'approved' : 'rejected'} ${text('name')}${place}${after('comment')}`
    case 'approval.delegated':
      return `${text('by')} let ${text('to')} decide on approval ${text('name')}${place}`
    case 'approval.reminded':
      return `approval ${text('name')} was still open${place}: a reminder`
    case 'approval.expired':
      return `approval ${text('name')} expired${place}; otherwise: ${text('otherwise')}`
    default:
      return undefined
  }
}

/** 'by a call of STEP in run ID', where it was called. */
export function callerWords(run: AccountRun): string | undefined {
  if (run.parent_run_id === null) return undefined
  const item = run.parent_item === null || run.parent_item < 0 ? '' : ` item ${run.parent_item}`
  const detached = run.detached === true ? ', detached' : ''
  return `by ${run.parent_step}${item} of run ${run.parent_run_id} (call ${oneLine(run.parent_call ?? '')}${detached}),`
}

const childrenToldMax = 10

export function childLines({ children }: RunAccount): string[] {
  if (children.total === 0) return []
  const states = Object.entries(children.states).map(([state, n]) => `${grouped(n)} ${state}`)
  const told = children.listed.slice(0, childrenToldMax)
  const left = children.total - told.length
  return [
    'What it called',
    ...line(`${count(children.total, 'run', 'runs')}: ${states.join(', ')}`),
    ...told.flatMap((child) => line(childWords(child))),
    ...(left > 0 ? line(`… and ${count(left, 'more run', 'more runs')}`) : []),
  ]
}

function childWords({ run, pipeline, state, step, item, call, detached }: AccountChild): string {
  const place = `${step}${item === null ? '' : ` item ${item}`}`
  return `${place}, call ${oneLine(call)}: ${pipeline} ${run}, ${state}${detached ? ' (detached)' : ''}`
}

function line(text: string): string[] {
  return fill(text, { first: '  ', next: '    ' })
}
