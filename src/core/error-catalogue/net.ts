// Errors of requests to addresses that users give.
import type { CatalogueEntry } from './entry.ts'

export const netErrors = {
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
} as const satisfies Record<string, CatalogueEntry>
