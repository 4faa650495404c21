// Owns the caller of commands that work over HTTP: each statement of src/db is answered by operations of the API.
import type { HttpClient } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Caller } from '../../db/call.ts'
import { auditTrailStatements } from './audit-trail.ts'
import { keyStatements } from './keys.ts'
import { limitStatements } from './limits.ts'
import { peopleStatements } from './people.ts'
import { pipelineStatements } from './pipelines.ts'
import { redriveStatements } from './redrives.ts'
import { runStatements } from './runs.ts'
import { scheduleStatements } from './schedules.ts'
import type { RemoteStatements } from './statements.ts'
import { triggerStatements } from './triggers.ts'
import { userStatements } from './users.ts'

/** What the API can answer; what is not here works on the database itself. */
function remoteStatements(client: HttpClient): RemoteStatements {
  return {
    ...runStatements(client),
    ...redriveStatements(client),
    ...pipelineStatements(client),
    ...scheduleStatements(client),
    ...triggerStatements(client),
    ...limitStatements(client),
    ...peopleStatements(client),
    ...keyStatements(client),
    ...userStatements(client),
    ...auditTrailStatements(client),
  }
}

/** A caller whose calls throw command_local where no operation answers them. */
export function remoteCaller(client: HttpClient): Caller {
  const statements = remoteStatements(client)
  return {
    call: async <Row>({ name }: { readonly name: string }, values: readonly unknown[]) => {
      if (!Object.hasOwn(statements, name)) throw localOnly()
      const statement = statements[name] as (...values: readonly unknown[]) => Promise<readonly unknown[]>
      return (await statement(...values)) as Row[]
    },
  }
}

/** The error of a command that needs the database itself. */
export function localOnly(): MillraceError {
  return new MillraceError('command_local', 'This works on the database itself, and a server is named.', {
    hint: 'Name the database with --database, on a machine that reaches it; MILLRACE_URL is left aside then.',
  })
}
