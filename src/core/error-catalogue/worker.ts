// Errors of steps at work, and of the workers that run them.
import type { CatalogueEntry } from './entry.ts'

export const workerErrors = {
  // durable operations
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
  durable_full: {
    cause:
      'A step has more than 100,000 durable operations open at a time; each takes memory of its worker until its result is stored.',
    remedy: 'Await them in parts, such as a thousand at a time, or make each an item of a map.',
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
    remedy:
      'Correct the schema and redrive the run, which reads what came once more; or correct whoever sends it, and let a new run wait for another: `npx millrace run redrive ID --from-step STEP`.',
    permanent: true,
  },
  // the cache, locks, artifacts
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
  artifact_store_failed: {
    cause: 'The store of artifacts did not remove bytes that no artifact shows any more.',
    remedy:
      'Let the store remove what the message names: its right to delete, a hold on the object, its connection. It is tried again every ten minutes, and holds nothing else up.',
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
      'A rule on starts refuses a start of the command line or of a test engine: the pipeline has had as many as it may, or as many as may wait.',
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
  limit_blocked: {
    cause: 'A limit could not be changed in time, because an open transaction claims or ends tasks.',
    remedy:
      'End that transaction, or try again later: nothing was changed. npx millrace doctor names old ones.',
    sqlstate: 'MR061',
    exitCode: 4,
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
  // what steps say
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
  // workers
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
} as const satisfies Record<string, CatalogueEntry>
