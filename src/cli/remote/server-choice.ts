// Owns which server a command works on, if any: one that the command line names, else MILLRACE_URL.
import { baseOf } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import { keptKey } from './logins.ts'

export interface ChosenServer {
  readonly url: string
  readonly key: string | undefined
}

export const serverVariable = 'MILLRACE_URL'
export const keyVariable = 'MILLRACE_KEY'

/** Undefined where a command works on a database. @throws MillraceError argument_invalid, command_invalid, login_invalid */
export function chooseServer({
  server,
  database,
  environment,
}: {
  readonly server: string | undefined
  readonly database: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
}): ChosenServer | undefined {
  if (server !== undefined && database !== undefined)
    throw new MillraceError('command_invalid', 'Both a server and a database are named.', {
      hint: 'Leave out --server or --database.',
    })
  const url =
    server ?? (database === undefined ? environment[serverVariable]?.trim() || undefined : undefined)
  if (url === undefined) return undefined
  const base = baseOf(url)
  return { url: base.href, key: environment[keyVariable]?.trim() || keptKey(environment, base) }
}
