// Owns which server a command works on, if any: one that the command line names, else MILLRACE_URL.
import { baseOf } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import { type Environment, keptKey } from './logins.ts'

export interface ChosenServer {
  readonly url: string
  readonly key: string | undefined
}

export const serverVariable = 'MILLRACE_URL'
export const keyVariable = 'MILLRACE_KEY'
/** Says that http to another machine is meant, as between the containers of one machine. */
const plainVariable = 'MILLRACE_PLAIN'

/** Undefined where a command works on a database. @throws MillraceError argument_invalid, command_invalid, login_invalid */
export function chooseServer({
  server,
  database,
  environment,
}: {
  readonly server: string | undefined
  readonly database: string | undefined
  readonly environment: Environment
}): ChosenServer | undefined {
  if (server !== undefined && database !== undefined)
    throw new MillraceError('command_invalid', 'Both a server and a database are named.', {
      hint: 'Leave out --server or --database.',
    })
  const url =
    server ?? (database === undefined ? environment[serverVariable]?.trim() || undefined : undefined)
  if (url === undefined) return undefined
  const base = baseOf(url)
  const key = environment[keyVariable]?.trim()
  if (!key) return { url: base.href, key: keptKey(environment, base) }
  // Who logged in there has said that plain http is meant.
  if (isInTheClear(base, environment) && keptKey(environment, base) === undefined)
    refusePlain(base, environment, `set ${plainVariable}=1`)
  return { url: base.href, key }
}

/** @param unless what somebody says who means it @throws MillraceError command_invalid for a server to which a key would go in the clear */
export function refusePlain(server: URL, environment: Environment, unless: string): void {
  if (!isInTheClear(server, environment)) return
  throw new MillraceError(
    'command_invalid',
    `${server.origin} is not encrypted: everybody between may read the key.`,
    { hint: `Use its https address, or ${unless}.` },
  )
}

/** Whether a key would go to another machine unencrypted, and nothing in the environment says that this is meant. */
function isInTheClear({ protocol, hostname }: URL, environment: Environment): boolean {
  return protocol !== 'https:' && !isLoopback(hostname) && !environment[plainVariable]?.trim()
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
