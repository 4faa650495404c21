// millrace schedule adopt: the cron jobs of pg_cron with their real outcomes, and taking one of them over.
import { Command } from 'commander'
import { checkCadence } from '../../core/cron.ts'
import {
  cadenceOfCronJob,
  callOf,
  type CronBook,
  type CronJob,
  type CronOutcome,
  judgeCronRuns,
} from '../../core/cron-jobs.ts'
import { MillraceError } from '../../core/errors.ts'
import { fill } from '../../core/text-fill.ts'
import { dateWords } from '../../core/wording.ts'
import type { Caller } from '../../db/call.ts'
import { adoptCronJob, readCronJobs } from '../../db/cron-jobs.ts'
import { jsonValue } from '../json-value.ts'
import { text, wholeNumber } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { scheduleInput } from './schedule-input.ts'

interface Choices {
  readonly pipeline?: string
  readonly name?: string
  readonly input?: string
  readonly disable?: boolean
  readonly runs: number
}

export function adoptCommand(current: CurrentSession): Command {
  return new Command('adopt')
    .description("list pg_cron's cron jobs with their real outcomes, or make a schedule of one")
    .argument(
      '[jobid]',
      'the cron job to take over; without it they are listed',
      wholeNumber('jobid', 1, 999_999_999),
    )
    .option('--pipeline <name>', 'the pipeline that the schedule starts', text('--pipeline'))
    .option('--name <name>', "the schedule's name; otherwise the cron job's", text('--name'))
    .option('--input <json>', 'the input of each run', text('--input'))
    .option('--disable', 'deactivate the cron job in the same transaction, so that it does not run twice')
    .option('--runs <n>', 'so many of the last runs of each are judged', wholeNumber('--runs', 1, 100), 10)
    .action(async (jobid: number | undefined, choices: Choices) => {
      const session = current()
      await session.withDatabase(async ({ caller }) => {
        const book = await readCronJobs(caller, choices.runs)
        if (jobid === undefined) list(session, book, choices)
        else await takeOver(session, caller, book, jobid, choices)
      })
    })
}

interface CronJobWords {
  readonly jobid: number
  readonly name: string | null
  readonly schedule: string
  readonly timezone: string
  readonly calls: string
  readonly user: string
  readonly active: boolean
  readonly runs: readonly {
    readonly started_at: string
    readonly outcome: CronOutcome
    readonly why: string
  }[]
}

function list({ terminal }: Session, book: CronBook, { pipeline, disable }: Choices): void {
  if (pipeline !== undefined || disable === true)
    throw new MillraceError('command_invalid', 'Which cron job is to be taken over? Name it by its id.', {
      hint: 'List them with: npx millrace schedule adopt',
    })
  const told = book.entries.map((entry) => wordsOf(entry, book))
  terminal.answer(told)
  if (told.length === 0) return terminal.print('pg_cron has no cron job that this role may see.')
  printTable(terminal, columns, told)
  terminal.print()
  for (const line of notes(book)) printFilled(terminal, line)
  for (const entry of told) {
    const worst = entry.runs.findLast(({ outcome }) => outcome !== 'succeeded')
    if (worst !== undefined)
      printFilled(
        terminal,
        `Cron job ${entry.jobid}: ${outcomes(entry)}. On ${dateWords(worst.started_at)} UTC ${worst.outcome}: ${worst.why}.`,
      )
  }
}

const wordsOf = (entry: CronJob, book: CronBook): CronJobWords => ({
  jobid: entry.jobid,
  name: entry.jobname,
  schedule: entry.schedule,
  timezone: book.timezone,
  calls: callOf(entry.command),
  user: entry.username,
  active: entry.active,
  runs: judgeCronRuns(entry, book),
})

const columns: readonly Column<CronJobWords>[] = [
  { title: 'jobid', cell: ({ jobid }) => String(jobid), side: 'right', whole: true },
  { title: 'name', cell: ({ name }) => name ?? '' },
  { title: 'schedule', cell: ({ schedule }) => schedule, whole: true },
  { title: 'calls', cell: ({ calls }) => calls },
  { title: 'active', cell: ({ active }) => (active ? 'yes' : 'no'), whole: true },
  { title: 'last run', cell: ({ runs }) => runs.at(-1)?.outcome ?? 'none', whole: true },
]

/** As in `8 succeeded, 2 failed`. */
function outcomes({ runs }: CronJobWords): string {
  const kinds: readonly CronOutcome[] = ['succeeded', 'failed', 'unknown', 'running']
  const counted = kinds
    .map((kind) => [kind, runs.filter(({ outcome }) => outcome === kind).length] as const)
    .filter(([, number]) => number > 0)
  return counted.map(([kind, number]) => `${number} ${kind}`).join(', ')
}

function notes({ timezone, runs, answers, kept_ms }: CronBook): string[] {
  return [
    `pg_cron reads its patterns in ${timezone}.`,
    runs === undefined
      ? 'This role may not read cron.job_run_details, so no outcome is known.'
      : answers === undefined
        ? "Where a cron job sends a request, pg_cron's own success only says that it was sent: what was answered can't be read here, so its outcome is unknown."
        : `Where a cron job sends a request, the outcome is what was answered. pg_net keeps answers for ${Math.round(kept_ms / 3_600_000)} h: of an older run it is unknown.`,
  ]
}

async function takeOver(
  session: Session,
  caller: Caller,
  book: CronBook,
  jobid: number,
  { pipeline, name, input, disable = false }: Choices,
): Promise<void> {
  const { terminal } = session
  const entry = book.entries.find((one) => one.jobid === jobid)
  if (entry === undefined)
    throw new MillraceError('cron_job_changed', `pg_cron has no cron job ${jobid} that this role may see.`, {
      hint: 'List them with: npx millrace schedule adopt',
    })
  if (pipeline === undefined)
    throw new MillraceError(
      'command_invalid',
      `Which pipeline does cron job ${jobid} become? Name it with --pipeline.`,
    )
  const cadence = cadenceOfCronJob(entry.schedule, book.timezone)
  if ('cron' in cadence) checkCadence({ kind: 'cron', pattern: cadence.cron, timezone: cadence.timezone })
  const schedule = name ?? scheduleName(entry)
  const checked = await scheduleInput(session, pipeline, await jsonValue(session, '--input', input))
  const settings = {
    ...cadence,
    ...(checked !== undefined && { input: checked }),
  }
  const taken = {
    id: jobid,
    seenSchedule: entry.schedule,
    name: schedule,
    slug: pipeline,
    settings,
    disable,
  }
  const revision = await adoptCronJob(caller, taken)
  terminal.answer({ schedule, pipeline, revision, ...cadence, jobid, disabled: disable })
  const when =
    'cron' in cadence ? `${cadence.cron} in ${cadence.timezone}` : `every ${cadence.every_ms / 1_000} s`
  printFilled(terminal, `Schedule ${schedule} starts ${pipeline}: ${when}.`)
  if (disable) printFilled(terminal, `Cron job ${jobid} is deactivated.`)
  else if (entry.active)
    printFilled(
      terminal,
      `Cron job ${jobid} still runs as well: deactivate it with select cron.alter_job(${jobid}, active := false).`,
    )
}

/** Its name may hold anything, or nothing. */
function scheduleName({ jobid, jobname }: CronJob): string {
  const cleaned = (jobname ?? '').replaceAll(/[^A-Za-z0-9_.:/@-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return cleaned === '' ? `cron-job-${jobid}` : cleaned.slice(0, 200)
}

function printFilled(terminal: Terminal, sentence: string): void {
  for (const line of fill(sentence)) terminal.print(line)
}
