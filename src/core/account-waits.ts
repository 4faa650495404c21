// Owns how an account tells what a live run waits for now, and until when.
import type { AccountTask, RunAccount } from './account-data.ts'
import { workerWords } from './account-attempts.ts'
import { parkedWords } from './account-parked.ts'
import { progressWords } from './account-reports.ts'
import { isFinal } from './state.ts'
import { fill } from './text-fill.ts'
import { clockOf, count, dateWords, durationWords, msBetween, oneLine } from './wording.ts'

const tasksToldMax = 10

export function waitLines(account: RunAccount): string[] {
  const { run, tasks } = account
  const told = tasks.listed.slice(0, tasksToldMax)
  const left = tasks.total - told.length
  const lines = [
    ...holdLines(account),
    ...told.flatMap((task) => entry(taskWords(account, task))),
    ...(left > 0 ? entry(`… and ${count(left, 'more task', 'more tasks')}`) : []),
  ]
  if (lines.length === 0) return []
  return [isFinal(run.state) ? 'What is still being aborted' : 'What it does and waits for now', ...lines]
}

function holdLines({ run, pipeline }: RunAccount): string[] {
  if (isFinal(run.state)) return []
  const reason = pipeline.pause_reason === null ? '' : `: ${oneLine(pipeline.pause_reason)}`
  return [
    ...(run.paused_at === null
      ? []
      : entry(
          `The run is paused since ${dateWords(run.paused_at)}; resume it with: npx millrace run resume ${run.id}`,
        )),
    ...(pipeline.paused_at === null
      ? []
      : entry(
          `The pipeline was paused by ${pipeline.paused_by} on ${dateWords(pipeline.paused_at)}${reason}; ` +
            `resume it with: npx millrace pipeline resume ${run.pipeline}`,
        )),
  ]
}

function taskWords(account: RunAccount, task: AccountTask): string {
  const name = task.item === null ? task.step : `${task.step} item ${task.item}`
  switch (task.state) {
    case 'running':
      return `${name}: ${runningWords(account, task)}`
    case 'ready':
      return `${name}: ${readyWords(account, task)}`
    case 'waiting':
      return `${name}: ${waitingWords(account, task)}`
  }
}

function runningWords(account: RunAccount, task: AccountTask): string {
  const { attempt, since, worker, is_aborted, step, item } = task
  const aborted = is_aborted ? ', told to stop' : ''
  const far = account.progress.find(
    (told) => told.step === step && told.item === item && told.attempt === attempt,
  )
  const progress = far === undefined ? '' : `: ${progressWords(far)}`
  return `attempt ${attempt} runs${sinceWords(account, since)}${workerWords(worker)}${aborted}${progress}`
}

function readyWords(account: RunAccount, { since, is_served, step, batch }: AccountTask): string {
  if (is_served && batch)
    return `ready${sinceWords(account, since)}, for a batch of ${batch.size}, or what there is at ${clockOf(account.run.created_at, batch.due_at)}`
  if (is_served) return `ready${sinceWords(account, since)}, for the next free worker`
  const queue = account.steps.find((one) => one.step === step)?.queue ?? 'default'
  return (
    `ready${sinceWords(account, since)}, and needs version ${account.run.version} of '${account.run.pipeline}' ` +
    `(queue ${queue}): no live worker serves it`
  )
}

function waitingWords(account: RunAccount, task: AccountTask): string {
  if (task.reason === 'paused') return 'held back until the run is resumed'
  if (task.reason === 'limit') return limitedWords(account, task)
  if (task.reason === 'waiting') return parkedWords(account, task)
  const { behind, starts } = account
  if (task.reason === 'behind') return behindWords(behind)
  const until = task.available_at ?? account.at
  const left = msBetween(account.at, until)
  const time = `at ${clockOf(account.run.created_at, until)} (${left > 0 ? `in ${durationWords(left)}` : 'due now'})`
  if (task.reason === 'delayed')
    return `begins ${time}, ${starts === null ? 'as its start asked' : `by ${starts.kind} '${starts.rule}' on starts`}`
  return `attempt ${task.attempt + 1} begins ${time}, after ${count(task.failures, 'failure', 'failures')} of at most ${task.max_attempts}`
}

function behindWords(behind: RunAccount['behind']): string {
  const run =
    behind === null ? '' : ` ${behind.run}, whose place this one took by rule '${behind.rule}' on starts,`
  return `begins once run${run} has ended`
}

function limitedWords(account: RunAccount, { limit, since, available_at }: AccountTask): string {
  const until = available_at === null ? '' : `, until ${clockOf(account.run.created_at, available_at)}`
  const key = (limit?.key ?? '') === '' ? '' : ` of '${oneLine(limit?.key ?? '')}'`
  return `waits${sinceWords(account, since)} for limit '${limit?.name ?? ''}'${key}${until}`
}

function sinceWords(account: RunAccount, since: string | null): string {
  return since === null ? '' : ` since ${clockOf(account.run.created_at, since)}`
}

function entry(text: string): string[] {
  return fill(text, { first: '  ', next: '    ' })
}
