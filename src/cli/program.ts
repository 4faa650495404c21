// Owns the command line as a whole: its commands, the options that all of them take, and its help.
import { Command } from 'commander'
import { approveCommand, rejectCommand } from './approval/decide.ts'
import { delegateCommand } from './approval/delegate.ts'
import { listCommand as approvalListCommand } from './approval/list.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { exitStatuses } from './failure.ts'
import { initCommand } from './init.ts'
import { migrateCommand } from './migrate.ts'
import { text } from './option-values.ts'
import { activateCommand } from './pipeline/activate.ts'
import { listCommand as pipelineListCommand } from './pipeline/list.ts'
import { pauseCommand as pipelinePauseCommand } from './pipeline/pause.ts'
import { resumeCommand as pipelineResumeCommand } from './pipeline/resume.ts'
import { showCommand as pipelineShowCommand } from './pipeline/show.ts'
import { splitCommand } from './pipeline/split.ts'
import { planCommand } from './plan.ts'
import { accountCommand } from './run/account.ts'
import { cancelCommand } from './run/cancel.ts'
import { followCommand } from './run/follow.ts'
import { listCommand } from './run/list.ts'
import { migrateRunsCommand } from './run/migrate.ts'
import { pauseCommand } from './run/pause.ts'
import { resumeCommand } from './run/resume.ts'
import { showCommand } from './run/show.ts'
import { startCommand } from './run/start.ts'
import { whyCommand } from './run/why.ts'
import type { CurrentSession } from './session.ts'
import { sendCommand } from './signal/send.ts'
import { workerCommand } from './worker.ts'

export function createProgram(current: CurrentSession, version: string): Command {
  const program = new Command('millrace')
    .description('Durable pipelines that live in your own PostgreSQL and account for themselves.')
    .version(version, '-V, --version', 'print the version')
    .option(
      '--database <url>',
      'the database; otherwise that of the configuration, then MILLRACE_DATABASE_URL, then DATABASE_URL (an empty variable counts as none)',
      text('--database'),
    )
    .option(
      '--config <file>',
      'the configuration; otherwise the nearest millrace.config.ts',
      text('--config'),
    )
    .option('--json', 'print the result as JSON, and nothing else on stdout')
    .option('--debug', 'show where an error comes from')
    .addHelpText(
      'after',
      `\nExit status:\n${exitStatuses.map(([status, meaning]) => `  ${status}  ${meaning}`).join('\n')}`,
    )
  program.addCommand(initCommand(current))
  program.addCommand(devCommand(current))
  program.addCommand(workerCommand(current))
  program.addCommand(migrateCommand(current))
  program.addCommand(planCommand(current))
  program.addCommand(
    group('pipeline', 'list, show, pause, resume and activate pipelines', [
      pipelineListCommand(current),
      pipelineShowCommand(current),
      pipelinePauseCommand(current),
      pipelineResumeCommand(current),
      activateCommand(current),
      splitCommand(current),
    ]),
  )
  program.addCommand(
    group('run', 'start runs, look at them, and steer them', [
      startCommand(current),
      listCommand(current),
      showCommand(current),
      accountCommand(current),
      followCommand(current),
      whyCommand(current),
      cancelCommand(current),
      pauseCommand(current),
      resumeCommand(current),
      migrateRunsCommand(current),
    ]),
  )
  program.addCommand(group('signal', 'send signals to runs that wait', [sendCommand(current)]))
  program.addCommand(
    group('approval', 'list what runs ask of people, and decide', [
      approvalListCommand(current),
      approveCommand(current),
      rejectCommand(current),
      delegateCommand(current),
    ]),
  )
  program.addCommand(doctorCommand(current))
  return program
}

function group(name: string, description: string, commands: readonly Command[]): Command {
  const parent = new Command(name).description(description)
  for (const command of commands) parent.addCommand(command)
  return parent
}
