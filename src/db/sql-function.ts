// Calls a function of the user's own schemas, from jsonb to jsonb: what an `sql` step runs.
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import type { Caller } from './call.ts'

const identifier = /^[a-z_][a-z0-9_]{0,62}$/

/**
 * Runs `select schema.name(input)` with the rights of the connection's role, and gives what it returns.
 *
 * @param name schema and function, as PostgreSQL writes them without quotes
 * @throws MillraceError step_option_invalid, json_invalid, json_too_large
 */
export async function callFunction(caller: Caller, name: string, input: unknown): Promise<unknown> {
  const parts = name.split('.')
  if (parts.length !== 2 || !parts.every((part) => identifier.test(part)))
    throw new MillraceError(
      'step_option_invalid',
      `'${name.slice(0, 130)}' names no function: it is a schema and a function.`,
    )
  const quoted = parts.map((part) => `"${part}"`).join('.')
  const text = checkJson(input, { what: `the input of function ${name}` })
  const rows = await caller.call<{ output: unknown }>(
    { name: '', text: `select ${quoted}($1::jsonb) as output` },
    [text],
  )
  return rows[0]?.output ?? null
}
