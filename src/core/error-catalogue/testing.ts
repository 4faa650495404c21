// Errors of the test engine.
import type { CatalogueEntry } from './entry.ts'

export const testingErrors = {
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
