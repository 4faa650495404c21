// Errors of what users write and of the client: definitions, configuration, encryption, secrets, starts.
import type { CatalogueEntry } from './entry.ts'

export const sdkErrors = {
  // definitions and configuration
  delivery_failed: {
    cause:
      'A delivery to a webhook was kept as failed: its map, its filter or its start threw, or gave nothing that can be started.',
    remedy: 'Look at it with millrace webhook deliveries, mend what its reason names, and replay it.',
  },
  webhook_too_slow: {
    cause:
      'A map, a filter or the schema of an input did not answer a webhook in time; its delivery is kept as failed.',
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
  // encryption and secrets
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
    remedy:
      'Give the key that the message names in encryptionKeys, or in MILLRACE_ENCRYPTION_KEYS. A first one is made with: export MILLRACE_ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)"',
    exitCode: 2,
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
  // clients
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
  start_held_up: {
    cause:
      "A start has waited for a minute, or until its next turn after that, for what somebody's open transaction holds, such as its run key, and was given up.",
    remedy: 'End that transaction, which pg_stat_activity shows, and start again: nothing was started.',
    exitCode: 3,
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
  report_failed: {
    cause:
      'The database failed time and again, or for good, at a report that was kept while it was away, so that the report was dropped.',
    remedy: 'Mend what its message names, such as a missing right; what was dropped is told in the account.',
  },
  report_buffer_full: {
    cause: 'So many reports wait for the database to come back that no more are kept.',
    remedy: 'Raise the bound of the buffer, or report less; what was dropped is told in the account.',
  },
} as const satisfies Record<string, CatalogueEntry>
