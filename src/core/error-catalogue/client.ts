// Errors of the typed client over HTTP.
import type { CatalogueEntry } from './entry.ts'

export const clientErrors = {
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
} as const satisfies Record<string, CatalogueEntry>
