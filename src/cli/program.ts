// Owns the command line as a whole: its commands, the options that all of them take, and its help.
import { Command } from 'commander'
import {
  approveCommand as agentApproveCommand,
  rejectCommand as agentRejectCommand,
} from './agent-request/decide.ts'
import { listCommand as agentRequestListCommand } from './agent-request/list.ts'
import { showCommand as agentRequestShowCommand } from './agent-request/show.ts'
import { approveCommand, rejectCommand } from './approval/decide.ts'
import { delegateCommand } from './approval/delegate.ts'
import { listCommand as approvalListCommand } from './approval/list.ts'
import { exportCommand as auditTrailExportCommand } from './audit-trail/export.ts'
import { listCommand as auditTrailListCommand } from './audit-trail/list.ts'
import { pruneCommand as auditTrailPruneCommand } from './audit-trail/prune.ts'
import { verifyCommand as auditTrailVerifyCommand } from './audit-trail/verify.ts'
import { getCommand as artifactGetCommand } from './artifact/get.ts'
import { invalidateCommand } from './cache/invalidate.ts'
import { listCommand as cacheListCommand } from './cache/list.ts'
import { listCommand as callbackListCommand } from './callback/list.ts'
import { resendCommand as callbackResendCommand } from './callback/resend.ts'
import { showCommand as callbackShowCommand } from './callback/show.ts'
import { completionCommand } from './completion.ts'
import { listCommand as deadLetterListCommand } from './dead-letter/list.ts'
import { redriveCommand as deadLetterRedriveCommand } from './dead-letter/redrive.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { failureListCommand } from './failure-list.ts'
import { enableDatabaseCommand } from './database/enable.ts'
import { rotateCommand as rotateKeysCommand } from './encryption/rotate.ts'
import { emitCommand } from './event/emit.ts'
import { listCommand as eventListCommand } from './event/list.ts'
import { exitStatuses } from './failure.ts'
import { initCommand } from './init.ts'
import { createCommand as keyCreateCommand } from './key/create.ts'
import { listCommand as keyListCommand } from './key/list.ts'
import { revokeCommand as keyRevokeCommand } from './key/revoke.ts'
import { rotateCommand as keyRotateCommand } from './key/rotate.ts'
import { listCommand as limitListCommand } from './limit/list.ts'
import { removeCommand as limitRemoveCommand } from './limit/remove.ts'
import { setCommand as limitSetCommand } from './limit/set.ts'
import { showCommand as limitShowCommand } from './limit/show.ts'
import { listCommand as lockListCommand } from './lock/list.ts'
import { loginCommand, logoutCommand } from './login.ts'
import { mcpCommand } from './mcp.ts'
import { migrateCommand } from './migrate.ts'
import { text } from './option-values.ts'
import { activateCommand } from './pipeline/activate.ts'
import { inventoryCommand } from './pipeline/inventory.ts'
import { listCommand as pipelineListCommand } from './pipeline/list.ts'
import { pauseCommand as pipelinePauseCommand } from './pipeline/pause.ts'
import { resumeCommand as pipelineResumeCommand } from './pipeline/resume.ts'
import { resumeKeyCommand } from './pipeline/resume-key.ts'
import { showCommand as pipelineShowCommand } from './pipeline/show.ts'
import { splitCommand } from './pipeline/split.ts'
import { planCommand } from './plan.ts'
import { abortCommand as redriveAbortCommand } from './redrive/abort.ts'
import { listCommand as redriveListCommand } from './redrive/list.ts'
import { showCommand as redriveShowCommand } from './redrive/show.ts'
import { startCommand as redriveStartCommand } from './redrive/start.ts'
import { defineCommand as startRuleDefineCommand } from './start-rule/define.ts'
import { listCommand as startRuleListCommand } from './start-rule/list.ts'
import { removeCommand as startRuleRemoveCommand } from './start-rule/remove.ts'
import { accountCommand } from './run/account.ts'
import { artifactsCommand } from './run/artifacts.ts'
import { cancelCommand } from './run/cancel.ts'
import { deleteCommand } from './run/delete.ts'
import { exportCommand } from './run/export.ts'
import { followCommand } from './run/follow.ts'
import { forkCommand } from './run/fork.ts'
import { importCommand } from './run/import.ts'
import { listCommand } from './run/list.ts'
import { migrateRunsCommand } from './run/migrate.ts'
import { pauseCommand } from './run/pause.ts'
import { prioritizeCommand } from './run/prioritize.ts'
import { redriveCommand } from './run/redrive.ts'
import { rerunCommand } from './run/rerun.ts'
import { resumeCommand } from './run/resume.ts'
import { showCommand } from './run/show.ts'
import { startCommand } from './run/start.ts'
import { watchCommand as watchRunCommand } from './run/watch.ts'
import { whyCommand } from './run/why.ts'
import { adoptCommand } from './schedule/adopt.ts'
import { backfillCommand as scheduleBackfillCommand } from './schedule/backfill.ts'
import { defineCommand as scheduleDefineCommand } from './schedule/define.ts'
import { firingsCommand as scheduleFiringsCommand } from './schedule/firings.ts'
import { listCommand as scheduleListCommand } from './schedule/list.ts'
import { nextCommand as scheduleNextCommand } from './schedule/next.ts'
import { pauseCommand as schedulePauseCommand } from './schedule/pause.ts'
import { removeCommand as scheduleRemoveCommand } from './schedule/remove.ts'
import { resumeCommand as scheduleResumeCommand } from './schedule/resume.ts'
import { showCommand as scheduleShowCommand } from './schedule/show.ts'
import { triggerCommand as scheduleTriggerCommand } from './schedule/trigger.ts'
import { listCommand as secretListCommand } from './secret/list.ts'
import { removeCommand as secretRemoveCommand } from './secret/remove.ts'
import { rotateCommand as secretRotateCommand } from './secret/rotate.ts'
import { setCommand as secretSetCommand } from './secret/set.ts'
import type { CurrentSession } from './session.ts'
import { createCommand as accountCreateCommand } from './service-account/create.ts'
import {
  disableCommand as accountDisableCommand,
  enableCommand as accountEnableCommand,
} from './service-account/disable.ts'
import { listCommand as accountListCommand } from './service-account/list.ts'
import { sendCommand } from './signal/send.ts'
import { startServerCommand } from './start.ts'
import {
  pauseCommand as subscriptionPauseCommand,
  removeCommand as subscriptionRemoveCommand,
  resumeCommand as subscriptionResumeCommand,
} from './subscription/change.ts'
import { defineCommand as subscriptionDefineCommand } from './subscription/define.ts'
import { listCommand as subscriptionListCommand } from './subscription/list.ts'
import { assignCommand, rolesCommand, unassignCommand } from './tenant/assign.ts'
import { eraseCommand } from './tenant/erase.ts'
import { deliveriesCommand } from './webhook/deliveries.ts'
import { deliveryCommand } from './webhook/delivery.ts'
import { listCommand as webhookListCommand } from './webhook/list.ts'
import { listenCommand } from './webhook/listen.ts'
import { replayCommand } from './webhook/replay.ts'
import { revokeCommand } from './webhook/revoke.ts'
import { rotateCommand as webhookRotateCommand } from './webhook/rotate.ts'
import { showCommand as webhookShowCommand } from './webhook/show.ts'
import { changeCommand as userChangeCommand } from './user/change.ts'
import {
  disableCommand as userDisableCommand,
  enableCommand as userEnableCommand,
  endSessionsCommand,
} from './user/disable.ts'
import { inviteCommand } from './user/invite.ts'
import { linkCommand as userLinkCommand } from './user/link.ts'
import { listCommand as userListCommand } from './user/list.ts'
import { showCommand as userShowCommand } from './user/show.ts'
import { applyCommand as watchApplyCommand } from './watch/apply.ts'
import { backfillCommand as watchBackfillCommand } from './watch/backfill.ts'
import { listCommand as watchListCommand } from './watch/list.ts'
import { pauseCommand as watchPauseCommand, resumeCommand as watchResumeCommand } from './watch/pause.ts'
import { planWatchesCommand } from './watch/plan.ts'
import { removeCommand as watchRemoveCommand } from './watch/remove.ts'
import { showCommand as watchShowCommand } from './watch/show.ts'
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
  program.addCommand(initCommand(current))
  program.addCommand(devCommand(current))
  program.addCommand(startServerCommand(current))
  program.addCommand(workerCommand(current))
  program.addCommand(migrateCommand(current))
  program.addCommand(planCommand(current))
  program.addCommand(
    group('pipeline', 'list and show pipelines, pause and resume them, choose their versions', [
      pipelineListCommand(current),
      pipelineShowCommand(current),
      inventoryCommand(current),
      pipelinePauseCommand(current),
      pipelineResumeCommand(current),
      resumeKeyCommand(current),
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
      watchRunCommand(current),
      whyCommand(current),
      artifactsCommand(current),
      cancelCommand(current),
      pauseCommand(current),
      resumeCommand(current),
      prioritizeCommand(current),
      redriveCommand(current),
      forkCommand(current),
      rerunCommand(current),
      exportCommand(current),
      importCommand(current),
      migrateRunsCommand(current),
      deleteCommand(current),
    ]),
  )
  program.addCommand(
    group('redrive', 'give many failed runs fresh attempts, and follow that', [
      redriveStartCommand(current),
      redriveListCommand(current),
      redriveShowCommand(current),
      redriveAbortCommand(current),
    ]),
  )
  program.addCommand(
    group('dead-letter', 'list failed runs that wait for a decision, and give them fresh attempts', [
      deadLetterListCommand(current),
      deadLetterRedriveCommand(current),
    ]),
  )
  program.addCommand(group('failure', 'list what failed, by kind', [failureListCommand(current)]))
  program.addCommand(group('artifact', 'read what runs have written', [artifactGetCommand(current)]))
  program.addCommand(
    group('cache', 'list cached values, and remove them', [
      cacheListCommand(current),
      invalidateCommand(current),
    ]),
  )
  program.addCommand(
    group('start-rule', 'list, define and remove rules on starts', [
      startRuleListCommand(current),
      startRuleDefineCommand(current),
      startRuleRemoveCommand(current),
    ]),
  )
  program.addCommand(
    group('schedule', 'see what starts runs by the clock, steer it, and take over cron jobs', [
      scheduleListCommand(current),
      scheduleShowCommand(current),
      scheduleNextCommand(current),
      scheduleFiringsCommand(current),
      scheduleDefineCommand(current),
      schedulePauseCommand(current),
      scheduleResumeCommand(current),
      scheduleTriggerCommand(current),
      scheduleBackfillCommand(current),
      scheduleRemoveCommand(current),
      adoptCommand(current),
    ]),
  )
  program.addCommand(
    group('limit', 'see how limits stand, define and remove them', [
      limitListCommand(current),
      limitShowCommand(current),
      limitSetCommand(current),
      limitRemoveCommand(current),
    ]),
  )
  program.addCommand(
    group('watch', 'see which tables start runs by their changes, and install what they need', [
      planWatchesCommand(current),
      watchApplyCommand(current),
      watchListCommand(current),
      watchShowCommand(current),
      watchPauseCommand(current),
      watchResumeCommand(current),
      watchBackfillCommand(current),
      watchRemoveCommand(current),
    ]),
  )
  program.addCommand(group('lock', 'see who holds named locks, and who waits', [lockListCommand(current)]))
  program.addCommand(group('signal', 'send signals to runs that wait', [sendCommand(current)]))
  program.addCommand(
    group('event', 'emit events, and see what each started', [
      emitCommand(current),
      eventListCommand(current),
    ]),
  )
  program.addCommand(
    group('subscription', 'have events start runs of pipelines', [
      subscriptionListCommand(current),
      subscriptionDefineCommand(current),
      subscriptionPauseCommand(current),
      subscriptionResumeCommand(current),
      subscriptionRemoveCommand(current),
    ]),
  )
  program.addCommand(
    group('callback', 'see what other servers are told of the ends of runs, and send it again', [
      callbackListCommand(current),
      callbackShowCommand(current),
      callbackResendCommand(current),
    ]),
  )
  program.addCommand(
    group('approval', 'list what runs ask of people, and decide', [
      approvalListCommand(current),
      approveCommand(current),
      rejectCommand(current),
      delegateCommand(current),
    ]),
  )
  program.addCommand(
    group('agent-request', 'list what agents ask people for, and decide', [
      agentRequestListCommand(current),
      agentRequestShowCommand(current),
      agentApproveCommand(current),
      agentRejectCommand(current),
    ]),
  )
  program.addCommand(mcpCommand(current))
  program.addCommand(
    group('secret', 'write, list, rotate and remove secrets; never show one', [
      secretSetCommand(current),
      secretListCommand(current),
      secretRotateCommand(current),
      secretRemoveCommand(current),
    ]),
  )
  program.addCommand(
    group('user', 'invite people, list and change them, sign them out, disable them', [
      userListCommand(current),
      userShowCommand(current),
      inviteCommand(current),
      userLinkCommand(current),
      userChangeCommand(current),
      userDisableCommand(current),
      userEnableCommand(current),
      endSessionsCommand(current),
    ]),
  )
  program.addCommand(
    group('key', 'make, list, rotate and revoke keys for the HTTP API', [
      keyListCommand(current),
      keyCreateCommand(current),
      keyRotateCommand(current),
      keyRevokeCommand(current),
    ]),
  )
  program.addCommand(
    group('service-account', "make, list and disable programs whose keys are nobody's own", [
      accountListCommand(current),
      accountCreateCommand(current),
      accountDisableCommand(current),
      accountEnableCommand(current),
    ]),
  )
  program.addCommand(
    group('webhook', 'listen for webhooks, look at what came, judge it once more, change secrets', [
      listenCommand(current),
      webhookListCommand(current),
      webhookShowCommand(current),
      deliveriesCommand(current),
      deliveryCommand(current),
      replayCommand(current),
      webhookRotateCommand(current),
      revokeCommand(current),
    ]),
  )
  program.addCommand(group('encryption', 'change the key of what is stored', [rotateKeysCommand(current)]))
  program.addCommand(group('database', 'copies of a database', [enableDatabaseCommand(current)]))
  program.addCommand(
    group('audit-trail', 'see who changed what, export it, check that nothing of it was changed', [
      auditTrailListCommand(current),
      auditTrailExportCommand(current),
      auditTrailVerifyCommand(current),
      auditTrailPruneCommand(current),
    ]),
  )
  program.addCommand(
    group('tenant', 'say which database roles stand for which tenants; erase a tenant', [
      rolesCommand(current),
      assignCommand(current),
      unassignCommand(current),
      eraseCommand(current),
    ]),
  )
  program.addCommand(loginCommand(current))
  program.addCommand(logoutCommand(current))
  program.addCommand(completionCommand())
  program.addCommand(doctorCommand(current))
  return program
}

function group(name: string, description: string, commands: readonly Command[]): Command {
  const parent = new Command(name).description(description)
  for (const command of commands) parent.addCommand(command)
  return parent
}
