// millrace run show: one run at a glance, with its steps, what went in and what came out.
import { Command } from 'commander'
import { errorWords } from '../../core/account-attempts.ts'
import type { AccountStep, RunAccount } from '../../core/account-data.ts'
import { originWords } from '../../core/account-lineage.ts'
import { progressWords, reportLines } from '../../core/account-reports.ts'
import { stepState } from '../../core/account-steps.ts'
import { printableJson } from '../../core/printable.ts'
import { fill } from '../../core/text-fill.ts'
import { dateWords, durationWords, grouped } from '../../core/wording.ts'
import { runAccount } from '../../db/accounts.ts'
import { readRunValues, type RunValues } from '../../db/run-list.ts'
import { why, type WhyRow } from '../../db/whys.ts'
import { readableValues } from '../readable-values.ts'
import { runIdOf } from '../run-id.ts'
import { paintState } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show a run with its steps, its input and its output')
    .argument('<run>', 'the id of the run')
    .action(async (run: string) => {
      const { terminal, ...rest } = await readRun(current, runIdOf(run))
      terminal.answer({
        ...rest.account.run,
        ...rest.values,
        ...reportsOf(rest.account),
        lineage: rest.account.lineage,
        why: rest.told,
        steps: rest.account.steps.map((step) => withState(rest.account, step)),
      })
      printGlance(terminal, rest.account, rest.told)
      printValues(terminal, rest.values)
    })
}

interface Read {
  readonly terminal: Terminal
  readonly account: RunAccount
  readonly values: RunValues
  readonly told: WhyRow
}

async function readRun(current: CurrentSession, id: string): Promise<Read> {
  const session = current()
  return session.withDatabase(async ({ caller }) => {
    const account = await runAccount(caller, id)
    const values = (await readRunValues(caller, id)) ?? { input: null, output: null, headers: null }
    const readable = await readableValues(session, caller, id, values)
    return { terminal: session.terminal, account, values: readable, told: await why(caller, id) }
  })
}

/** The run and its steps, and what they have said of themselves. */
export function printGlance(terminal: Terminal, account: RunAccount, told?: WhyRow): void {
  printRun(terminal, account, told?.sentence)
  printTable(terminal, stepColumns(terminal, account), account.steps)
  printReports(terminal, account)
}

function withState(account: RunAccount, step: AccountStep): object {
  return { ...step, state: stepState(account, step) }
}

function printRun(terminal: Terminal, account: RunAccount, sentence: string | undefined): void {
  const { run, time, lineage } = account
  const state = run.paused_at === null ? run.state : `${run.state}, paused`
  terminal.print(`Run ${run.id}`)
  terminal.print(`${run.pipeline}, version ${run.version}: ${paintState(terminal, state)}`)
  if (run.key !== null) terminal.print(`run key   ${run.key}`)
  if (run.revision > 0) terminal.print(`revision  ${run.revision}`)
  const started = `started   ${dateWords(run.created_at)} UTC by ${run.started_by} (${run.started_via})`
  for (const line of fill(started, { first: '', next: margin })) terminal.print(line)
  if (run.finished_at !== null) terminal.print(`ended     ${dateWords(run.finished_at)} UTC`)
  terminal.print(`${run.finished_at === null ? 'live for ' : 'took     '} ${durationWords(time.total_ms)}`)
  const origin = originWords(account)
  const more = [
    ...(origin === undefined ? [] : [`origin    ${origin}`]),
    ...lineage.into.map(({ run, kind, state }) => `${kind.padEnd(9)} run ${run}: ${state ?? 'pruned'}`),
    ...(run.error === null ? [] : [`error     ${errorWords(run.error)}`]),
    ...(run.finished_at === null && sentence !== undefined ? [`now       ${sentence}`] : []),
  ]
  for (const line of more.flatMap((text) => fill(text, { first: '', next: margin }))) terminal.print(line)
  terminal.print()
}

const margin = ' '.repeat(10)

function stepColumns(terminal: Terminal, account: RunAccount): Column<AccountStep>[] {
  return [
    { title: 'step', cell: ({ step }) => step },
    {
      title: 'state',
      cell: (step) => stepState(account, step),
      whole: true,
      paint: (cell) => paintState(terminal, cell),
    },
    {
      title: 'items',
      cell: ({ items, completed }) => (items === null ? '' : `${grouped(completed)}/${grouped(items)}`),
      side: 'right',
    },
    { title: 'attempts', cell: ({ attempts }) => grouped(attempts), side: 'right' },
    {
      title: 'failed',
      cell: ({ failed, reclaimed }) => (failed + reclaimed === 0 ? '' : grouped(failed + reclaimed)),
      side: 'right',
    },
    {
      title: 'running',
      cell: ({ running_ms, attempts }) => (attempts === 0 ? '' : durationWords(running_ms)),
      side: 'right',
    },
  ]
}

function reportsOf({ progress, metadata, metrics, objectives, parts }: RunAccount): object {
  return { progress, metadata, metrics, objectives, parts }
}

/** How far its live steps say that they are, and what it has shown of itself. */
function printReports(terminal: Terminal, account: RunAccount): void {
  const live = account.progress.filter(({ step, item, attempt }) =>
    account.tasks.listed.some((task) => task.step === step && task.item === item && task.attempt === attempt),
  )
  const progress = live.map((told) => {
    const place = told.item === null ? told.step : `${told.step} item ${told.item}`
    return `progress  ${place}: ${progressWords(told)}`
  })
  const reports = reportLines(account)
  const lines = [...progress.flatMap((text) => fill(text, { first: '', next: margin })), ...reports]
  if (lines.length === 0) return
  terminal.print()
  for (const line of lines) terminal.print(line)
}

/** Where the database itself gives what a server does not. */
export const leftOutWords =
  'more than 8 MiB, which a server does not give at once: --database shows it, or GET /runs/{run}/outputs, step by step'

function printValues(terminal: Terminal, { input, output, output_left_out }: RunValues): void {
  terminal.print()
  terminal.print(`input     ${shortened(input)}`)
  if (output_left_out)
    for (const line of fill(`output    ${leftOutWords}`, { first: '', next: margin })) terminal.print(line)
  if (output !== null) terminal.print(`output    ${shortened(output)}`)
}

const charactersShown = 600

function shortened(value: unknown): string {
  const text = printableJson(value)
  return text.length <= charactersShown ? text : `${text.slice(0, charactersShown)}… (all of it with --json)`
}
