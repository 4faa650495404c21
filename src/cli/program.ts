// Owns the command line as a whole: its commands, the options that all of them take, and its help.
import { Command } from 'commander'
import { agentRequestGroup } from './agent-request/group.ts'
import { approvalGroup } from './approval/group.ts'
import { artifactGroup } from './artifact/group.ts'
import { auditTrailGroup } from './audit-trail/group.ts'
import { cacheGroup } from './cache/group.ts'
import { callbackGroup } from './callback/group.ts'
import { completionCommand } from './completion.ts'
import { databaseGroup } from './database/group.ts'
import { deadLetterGroup } from './dead-letter/group.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { encryptionGroup } from './encryption/group.ts'
import { eventGroup } from './event/group.ts'
import { exitStatuses } from './failure.ts'
import { failureGroup } from './failure/group.ts'
import { initCommand } from './init.ts'
import { keyGroup } from './key/group.ts'
import { limitGroup } from './limit/group.ts'
import { lockGroup } from './lock/group.ts'
import { loginCommand, logoutCommand } from './login.ts'
import { mcpCommand } from './mcp.ts'
import { migrateCommand } from './migrate.ts'
import { text } from './option-values.ts'
import { pipelineGroup } from './pipeline/group.ts'
import { planCommand } from './plan.ts'
import { redriveGroup } from './redrive/group.ts'
import { runGroup } from './run/group.ts'
import { scheduleGroup } from './schedule/group.ts'
import { secretGroup } from './secret/group.ts'
import { serviceAccountGroup } from './service-account/group.ts'
import type { CurrentSession } from './session.ts'
import { signalGroup } from './signal/group.ts'
import { startRuleGroup } from './start-rule/group.ts'
import { startServerCommand } from './start.ts'
import { subscriptionGroup } from './subscription/group.ts'
import { tenantGroup } from './tenant/group.ts'
import { userGroup } from './user/group.ts'
import { watchGroup } from './watch/group.ts'
import { webhookGroup } from './webhook/group.ts'
import { workerCommand } from './worker.ts'

export function createProgram(current: CurrentSession, version: string): Command {
  const program = programOf(version)
  for (const command of commandsOf(current)) program.addCommand(command)
  return program
}

function programOf(version: string): Command {
  return new Command('millrace')
    .description('Durable pipelines that live in your own PostgreSQL and account for themselves.')
    .version(version, '-V, --version', 'print the version')
    .option(
      '--database <url>',
      'the database; otherwise that of the configuration, then MILLRACE_DATABASE_URL, then DATABASE_URL (an empty variable counts as none)',
      text('--database'),
    )
    .option(
      '--server <url>',
      'a server to work on over HTTP in place of a database; otherwise MILLRACE_URL. The key is MILLRACE_KEY, or the one of millrace login',
      text('--server'),
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
}

/** In the order of the help. */
function commandsOf(current: CurrentSession): Command[] {
  return [
    initCommand(current),
    devCommand(current),
    startServerCommand(current),
    workerCommand(current),
    migrateCommand(current),
    planCommand(current),
    pipelineGroup(current),
    runGroup(current),
    redriveGroup(current),
    deadLetterGroup(current),
    failureGroup(current),
    artifactGroup(current),
    cacheGroup(current),
    startRuleGroup(current),
    scheduleGroup(current),
    limitGroup(current),
    watchGroup(current),
    lockGroup(current),
    signalGroup(current),
    eventGroup(current),
    subscriptionGroup(current),
    callbackGroup(current),
    approvalGroup(current),
    agentRequestGroup(current),
    mcpCommand(current),
    secretGroup(current),
    userGroup(current),
    keyGroup(current),
    serviceAccountGroup(current),
    webhookGroup(current),
    encryptionGroup(current),
    databaseGroup(current),
    auditTrailGroup(current),
    tenantGroup(current),
    loginCommand(current),
    logoutCommand(current),
    completionCommand(),
    doctorCommand(current),
  ]
}
