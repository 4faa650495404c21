// Owns the catalogue of errors: every code Millrace raises by itself, with its cause and its remedy; a file for each room.
import { commandErrors } from './error-catalogue/cli.ts'
import { clientErrors } from './error-catalogue/client.ts'
import { coreErrors } from './error-catalogue/core.ts'
import { databaseErrors } from './error-catalogue/db.ts'
import { embeddedErrors } from './error-catalogue/embedded.ts'
import { netErrors } from './error-catalogue/net.ts'
import { sdkErrors } from './error-catalogue/sdk.ts'
import { serverErrors } from './error-catalogue/server.ts'
import { sqlErrors } from './error-catalogue/sql.ts'
import { testingErrors } from './error-catalogue/testing.ts'
import { triggerErrors } from './error-catalogue/triggers.ts'
import { workerErrors } from './error-catalogue/worker.ts'

/** One entry a code. */
export const catalogue = {
  ...coreErrors,
  ...databaseErrors,
  ...sqlErrors,
  ...embeddedErrors,
  ...netErrors,
  ...sdkErrors,
  ...workerErrors,
  ...triggerErrors,
  ...serverErrors,
  ...clientErrors,
  ...commandErrors,
  ...testingErrors,
} as const
