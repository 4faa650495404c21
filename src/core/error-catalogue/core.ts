// Errors of what is decided without a database: durations, values, graphs, keys, schedules.
import type { CatalogueEntry } from './entry.ts'

export const coreErrors = {
  duration_invalid: {
    cause:
      'A duration is neither a number of milliseconds nor a text like 500ms, 30s, 5m, 2h or 7d, or it is longer than may be waited.',
    remedy: 'Write a number and one unit: ms, s, m, h, d or w.',
    exitCode: 2,
  },
  json_invalid: {
    cause: 'A value holds something that JSON in Postgres cannot keep: the message names its path.',
    remedy:
      'Return plain data: replace NaN by null, a bigint by a text, a Map by an object, and await promises.',
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
    cause: 'An option of a step, or of one of its durable operations, is outside its bounds.',
    remedy: 'Choose a value within the bounds that the message names.',
    exitCode: 2,
    permanent: true,
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
} as const satisfies Record<string, CatalogueEntry>
