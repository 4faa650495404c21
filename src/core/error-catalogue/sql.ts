// Errors that the SQL functions raise, whoever calls them.
import type { CatalogueEntry } from './entry.ts'

export const sqlErrors = {
  argument_invalid: {
    cause: 'A function was called with an argument that is missing or out of its bounds.',
    remedy: 'Correct the argument that the message names; nothing was changed.',
    sqlstate: 'MR014',
    exitCode: 2,
  },
  approval_closed: {
    cause:
      'A decision came after the approval had been decided, had expired, or had been closed with its step.',
    remedy: 'See how it ended with: npx millrace approval list --state all',
    sqlstate: 'MR020',
    exitCode: 4,
  },
  approval_forbidden: {
    cause: 'Somebody decided on an approval who may not: the message says why.',
    remedy: 'Let one of the people or roles that the hint names decide, or delegate it.',
    sqlstate: 'MR021',
    exitCode: 4,
  },
  approval_unknown: {
    cause: 'There is no approval of this id; its run may have been pruned.',
    remedy: 'List them with: npx millrace approval list',
    sqlstate: 'MR019',
    exitCode: 4,
  },
  artifact_incomplete: {
    cause: 'Not all bytes of an artifact that was written have arrived in the database.',
    remedy: 'Write it again: the next attempt does.',
    sqlstate: 'MR043',
  },
  artifact_name_taken: {
    cause: 'Two steps of a run, or two items of a map, write an artifact under one name.',
    remedy: 'Give each a name of its own; in a map, one with the place of the item.',
    sqlstate: 'MR042',
    permanent: true,
  },
  artifact_too_large: {
    cause: 'An artifact has more bytes than one may have.',
    remedy: 'Write it in several parts, or let an administrator raise the setting artifact_bytes_max.',
    sqlstate: 'MR040',
    permanent: true,
  },
  artifacts_too_many: {
    cause: 'The artifacts of a run have more bytes, or are more, than those of one run may be.',
    remedy: 'Write less, or let an administrator raise run_artifact_bytes_max or run_artifacts_max.',
    sqlstate: 'MR041',
    permanent: true,
  },
  attempt_lost: {
    cause: 'An attempt reported on a step that it no longer holds: its lease ran out, or the run ended.',
    remedy: 'Stop the work; take the step again with start_step if it is still wanted.',
    sqlstate: 'MR008',
  },
  graph_invalid: {
    cause:
      'The graph of a pipeline could not run: a name, an `after` or an `over` is wrong, or steps wait in a circle.',
    remedy: 'Mend what the message names.',
    sqlstate: 'MR001',
    exitCode: 2,
  },
  holder_taken: {
    cause: 'A step was asked for under the id of a holder that has, or had, another hold.',
    remedy: 'Make an id of its own for each hold; the same one only asks again for the hold that it has.',
    sqlstate: 'MR015',
  },
  idempotency_conflict: {
    cause: 'An idempotency key was used again within its lifetime, with another input.',
    remedy: 'Use a key of its own for each input, or send the same input again.',
    sqlstate: 'MR009',
    exitCode: 4,
  },
  key_value_missing: {
    cause: 'The input has no value where the run key of the pipeline looks for it.',
    remedy: 'Give the input that value, or take the path out of the key.',
    sqlstate: 'MR003',
    exitCode: 4,
  },
  not_encryptable: {
    cause:
      'A step of an encrypted pipeline used the cache or wrote an artifact, which are stored as they are.',
    remedy: 'Do it in a pipeline of its own that is not encrypted, or leave it out.',
    sqlstate: 'MR044',
    permanent: true,
  },
  pipeline_unknown: {
    cause: 'No pipeline, or no such version of it, is registered under this name.',
    remedy: 'Start a worker that serves it, or check the name with: npx millrace pipeline list',
    sqlstate: 'MR002',
    exitCode: 4,
  },
  callback_unknown: {
    cause: 'There is no callback, or no delivery of one, of this id; it goes with its run.',
    remedy: 'List them with: npx millrace callback list',
    sqlstate: 'MR130',
    exitCode: 4,
  },
  subscription_unknown: {
    cause: 'There is no subscription of this name, or it was removed.',
    remedy: 'List them with: npx millrace subscription list',
    sqlstate: 'MR131',
    exitCode: 4,
  },
  webhook_unknown: {
    cause: 'There is no webhook of this name: nothing registered it yet, or the configuration lacks it.',
    remedy: 'List them with: npx millrace webhook list',
    sqlstate: 'MR120',
    exitCode: 4,
  },
  delivery_unknown: {
    cause: 'There is no delivery of this id; it may have been pruned.',
    remedy: 'List them with: npx millrace webhook deliveries',
    exitCode: 4,
  },
  delivery_not_replayable: {
    cause: 'What was sent with a delivery is not kept: it was refused, or a run that it started was erased.',
    remedy: 'Let its sender send it again.',
    exitCode: 4,
  },
  redrive_unknown: {
    cause: 'There is no redrive of this id; it may have been pruned.',
    remedy: 'List them with: npx millrace redrive list',
    sqlstate: 'MR032',
    exitCode: 4,
  },
  cron_job_changed: {
    cause:
      'A cron job was to be taken over that is not there any more or was changed, or whose new name is taken.',
    remedy: 'List them again with: npx millrace schedule adopt',
    sqlstate: 'MR109',
    exitCode: 4,
  },
  cron_unavailable: {
    cause: 'The database has no pg_cron, or the role may not read its cron jobs.',
    remedy: 'Connect to the database in which pg_cron was created, as a role that may read schema cron.',
    sqlstate: 'MR108',
    exitCode: 4,
  },
  schedule_unknown: {
    cause: 'There is no schedule of this name, or it was removed.',
    remedy: 'List the schedules with: npx millrace schedule list',
    sqlstate: 'MR100',
    exitCode: 4,
  },
  revision_conflict: {
    cause: 'A change was decided on a state of the run or the pipeline that somebody has changed since.',
    remedy: 'Look at the state that it has now, which the error holds, and decide anew.',
    sqlstate: 'MR030',
    exitCode: 4,
  },
  run_ended: {
    cause: 'A signal was sent to a run that has ended, where nobody could ever read it.',
    remedy: 'Send it to a live run, or to the name alone.',
    sqlstate: 'MR018',
    exitCode: 4,
  },
  run_id_off_clock: {
    cause: "The time inside a run's id lies more than a day off the database's clock.",
    remedy: 'Set the clock of the machine that starts runs.',
    sqlstate: 'MR005',
  },
  run_unfinished: {
    cause: 'A run was reported as ended while steps of it are not final.',
    remedy: 'Complete or fail those steps, or fail the run with an error.',
    sqlstate: 'MR011',
  },
  run_unknown: {
    cause: 'There is no run of this id; it may have been pruned.',
    remedy: 'Check the id with: npx millrace run list',
    sqlstate: 'MR006',
    exitCode: 4,
  },
  start_time_invalid: {
    cause: 'A start is asked for more than a year back or more than ten years ahead.',
    remedy: 'Give available_at as a timestamp within that range, or leave it out to start at once.',
    sqlstate: 'MR012',
    exitCode: 4,
  },
  step_not_in_run: {
    cause: "A step was named that the run's pipeline does not have in the run's version.",
    remedy: 'Use one of the steps that the hint lists.',
    sqlstate: 'MR007',
    exitCode: 4,
  },
  token_unknown: {
    cause: 'A completion token is wrong, was used already, or came after the request had timed out.',
    remedy: 'Use the token of the request, once and in time.',
    sqlstate: 'MR017',
    exitCode: 4,
  },
  too_many_starts: {
    cause: 'More runs were asked for in one call than one call may start.',
    remedy: 'Start them in several calls; startMany does.',
    sqlstate: 'MR004',
  },
  link_invalid: {
    cause: 'A link to set a password was used, was replaced by another one, or has expired.',
    remedy: 'Ask an admin for another one: npx millrace user link',
    exitCode: 4,
    sqlstate: 'MR158',
  },
  last_admin: {
    cause: 'A change would leave no admin who can sign in.',
    remedy: 'Make somebody else an admin first.',
    exitCode: 4,
    sqlstate: 'MR157',
  },
  person_disabled: {
    cause: 'A link was asked for somebody who is disabled.',
    remedy: 'Enable them first: npx millrace user enable',
    exitCode: 4,
    sqlstate: 'MR159',
  },
  person_exists: {
    cause: 'Somebody was invited whose address is known already.',
    remedy: 'Change them, or give them a new link, instead.',
    exitCode: 4,
    sqlstate: 'MR156',
  },
  person_unknown: {
    cause: 'There is nobody of this id or address.',
    remedy: 'List the people with: npx millrace user list',
    exitCode: 4,
    sqlstate: 'MR155',
  },
  worker_unknown: {
    cause: 'An order was given to a worker that is not alive.',
    remedy: 'Look at the live workers with: npx millrace doctor',
    sqlstate: 'MR010',
    exitCode: 4,
  },
} as const satisfies Record<string, CatalogueEntry>
