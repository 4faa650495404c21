// Owns a run as lists, answers and events show it.
import { z } from 'zod'
import { runStates } from '../core/state.ts'
import { runError } from './accounts.ts'
import { time, uuid } from './values.ts'

/** Its error is that of the step it failed by, without a stack. */
export const run = z
  .object({
    id: uuid,
    pipeline: z.string(),
    version: z.int(),
    tenant: z.string().nullable(),
    key: z.string().nullable(),
    state: z.enum(runStates),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
    paused_at: time.nullable(),
    revision: z.int().describe('Rises with each change by a person; send it as If-Match.'),
    error: runError.nullable(),
  })
  .meta({ id: 'Run' })

export const statesQuery = z
  .string()
  .max(100)
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(runStates)).max(6))
  .describe('One state or several, with commas between.')
