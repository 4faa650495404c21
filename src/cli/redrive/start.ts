// millrace redrive start: gives many failed runs fresh attempts, or says how many there would be.
import { Command } from 'commander'
import { setTimeout as pause } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import { count } from '../../core/wording.ts'
import type { Caller } from '../../db/call.ts'
import { type FailureFilter, type RedrivePlan, type RedriveProgress, Redrives } from '../../sdk/redrives.ts'
import { columnNames } from '../column-names.ts'
import { pastTime, rate, text } from '../option-values.ts'
import type { CurrentSession, Session } from '../session.ts'
import { waitLooksMs } from '../wait-looks.ts'
import { type FromChoices, fromOf, withFromOptions } from './from-options.ts'
import { progressWords } from './words.ts'

interface Choices extends FromChoices {
  readonly pipeline?: string
  readonly tenant?: string
  readonly step?: string
  readonly code?: string
  readonly fingerprint?: string
  readonly since?: Date
  readonly until?: Date
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly rate?: number
  readonly reason?: string
  readonly idempotencyKey?: string
  readonly wait?: boolean
}

export function startCommand(current: CurrentSession): Command {
  const command = new Command('start')
    .description('give the failed runs that all conditions hold for fresh attempts; the workers do it')
    .option('--pipeline <name>', 'only runs of this pipeline', text('--pipeline'))
    .option('--tenant <tenant>', 'only runs of this tenant', text('--tenant'))
    .option('--step <step>', 'only those that this step failed', text('--step'))
    .option('--code <code>', 'only those with this code of their error', text('--code'))
    .option('--fingerprint <print>', 'only failures of this kind: see failure list', text('--fingerprint'))
    .option('--since <time>', 'failed at or after this time: 2030-01-31T08:00Z, or 2h ago', pastTime)
    .option('--until <time>', 'failed before this time', pastTime)
    .option('--all', 'every failed run, where no condition is given')
    .option('--dry-run', 'only say how many')
    .option('--latest', 'with the active version of their pipeline')
    .option('--rate <n>', 'so many runs a second at most', rate)
    .option('--reason <text>', 'why; it stands in the account of each', text('--reason'))
    .option(
      '--idempotency-key <key>',
      'asked again with the same key, it is one redrive',
      text('--idempotency-key'),
    )
    .option('--wait', 'wait until it is through')
  return withFromOptions(command).action(async (choices: Choices) => {
    const session = current()
    await session.withDatabase(({ caller }) => start(session, caller, choices))
  })
}

async function start(session: Session, caller: Caller, choices: Choices): Promise<void> {
  const filter = filterOf(choices)
  const redrives = new Redrives(() => Promise.resolve(caller))
  if (choices.dryRun) {
    const plan = await redrives.plan(filter, fromOf(choices))
    session.terminal.answer(plan)
    for (const line of planLines(plan)) session.terminal.print(line)
    return
  }
  const { rate, reason, idempotencyKey } = choices
  let progress: RedriveProgress = await redrives.start(filter, {
    ...fromOf(choices),
    ...(rate !== undefined && { rate }),
    ...(reason !== undefined && { reason }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  })
  try {
    while (choices.wait && progress.state === 'open') {
      await pause(session.remote === undefined ? waitLooksMs.database : waitLooksMs.server)
      progress = await redrives.show(progress.id)
    }
  } finally {
    // It goes on whether or not it can be looked at.
    tell(session, progress)
  }
  if (choices.wait && (progress.state === 'aborted' || progress.refused > 0))
    session.exitStatus = statusOfRefusal
}

function tell({ terminal }: Session, progress: RedriveProgress): void {
  terminal.answer(columnNames(progress))
  terminal.print(progressWords(progress))
  if (progress.state === 'open') terminal.print(`Follow it with: npx millrace redrive show ${progress.id}`)
}

const statusOfRefusal = 4

/** Nobody redrives everything by leaving something out. */
function filterOf(choices: Choices): FailureFilter {
  const { pipeline, tenant, step, code, fingerprint, since, until } = choices
  const filter = {
    ...(pipeline !== undefined && { pipeline }),
    ...(tenant !== undefined && { tenant }),
    ...(step !== undefined && { step }),
    ...(code !== undefined && { code }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
  if (Object.keys(filter).length === 0 && !choices.all && !choices.dryRun)
    throw new MillraceError('command_invalid', 'No condition is given.', {
      hint: 'Name one, or redrive every failed run with --all.',
    })
  return filter
}

function planLines({ runs, refused }: RedrivePlan): string[] {
  const reasons = Object.entries(refused).map(([reason, n]) => `  ${reason}: ${n.toLocaleString('en-US')}`)
  return [
    `${count(runs, 'run would be redriven', 'runs would be redriven')}.`,
    ...(reasons.length > 0 ? ['Refused would be, by reason:', ...reasons] : []),
  ]
}
