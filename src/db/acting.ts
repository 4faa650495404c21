// Calls in somebody's name: each is one transaction that says who acts, and has no more rights than the role that they have.
import pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import type { Role } from '../core/role.ts'
import { type Caller, clientCaller } from './call.ts'
import { inPoolTransaction } from './transaction.ts'

/** In whose name a server acts. */
export interface Acting {
  /** As history names them. */
  readonly actor: string
  /** The role of Millrace whose rights the call has: the connection's login is a member of it. */
  readonly role: `millrace_${Role}`
  /** Facts of the request for the audit trail: from where it came, and under which id it stands in the log. */
  readonly request: Readonly<Record<string, unknown>>
}

/** @param database named in errors */
export function actingCaller(pool: pg.Pool, database: string, acting: Acting): Caller {
  // Written where something is called: what only starts runs or reads needs no transaction of its own.
  let begin: string | undefined
  return {
    call: (statement, values) => {
      begin ??= `begin isolation level read committed; ${namesText(acting)}`
      return inPoolTransaction(
        pool,
        database,
        (client) => clientCaller(client).call(statement, values),
        begin,
      )
    },
  }
}

/** Several calls in one transaction in somebody's name. */
export function actTogether<T>(
  pool: pg.Pool,
  database: string,
  acting: Acting,
  work: (caller: Caller) => Promise<T>,
): Promise<T> {
  const begin = `begin isolation level read committed; ${namesText(acting)}`
  return inPoolTransaction(pool, database, (client) => work(clientCaller(client)), begin)
}

/** Calls of one open transaction. */
export interface JoinedCallers {
  /** In the name of the actor, with the rights of its role. */
  readonly caller: Caller
  /** As the login. */
  readonly reads: Caller
}

/**
 * Calls in a transaction that somebody else begins and ends: one after the other, since each says first whose rights it has. Once one has failed the
 * transaction is lost, and every further call fails with what it failed with.
 */
export function joinCallers(client: pg.ClientBase, acting: Acting): JoinedCallers {
  const own = clientCaller(client)
  let asActor: boolean | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const callAs =
    (actor: boolean): Caller['call'] =>
    (statement, values) => {
      const called = turn.then(async () => {
        if (asActor !== actor) await client.query(actor ? namesText(acting) : asLogin)
        asActor = actor
        return own.call<never>(statement, values)
      })
      turn = called
      // Whoever called hears of it.
      turn.catch(() => {})
      return called
    }
  return { caller: { call: callAs(true) }, reads: { call: callAs(false) } }
}

const asLogin = `select set_config('role', 'none', true)`

// With the begin in one message: a round trip less. Only for this transaction, so that a pooler hands nobody's name on.
function namesText({ actor, role, request }: Acting): string {
  const settings = { 'millrace.actor': actor, 'millrace.request': JSON.stringify(request), role }
  const told = Object.entries(settings).map(
    ([name, value]) => `set_config('${name}', ${pg.escapeLiteral(value.replaceAll('\u0000', ''))}, true)`,
  )
  return `select ${told.join(', ')}`
}

/** The highest role of Millrace in whose name a connection's login may act; undefined where it is none. */
export async function strongestRole(caller: Caller): Promise<'admin' | 'operator' | 'viewer' | undefined> {
  const rows = await caller.call<{ role: 'admin' | 'operator' | 'viewer' }>(
    {
      name: 'millrace_strongest_role',
      // From PostgreSQL 16 on a member may be one that may not take the role.
      text: `select r.role from unnest(array['admin', 'operator', 'viewer']) with ordinality r(role, place)
        where case when current_setting('server_version_num')::int < 160000
          then pg_has_role(session_user, to_regrole('millrace_' || r.role), 'member')
          else pg_has_role(session_user, to_regrole('millrace_' || r.role), 'set') end
        order by r.place limit 1`,
    },
    [],
  )
  return rows[0]?.role
}

/**
 * Refuses a login that may not act in the name of everybody whom a server lets in: each change would fail.
 * @throws MillraceError database_rights_missing
 */
export async function checkActing(caller: Caller): Promise<void> {
  if ((await strongestRole(caller)) === 'admin') return
  const [row] = await caller.call<{ login: string; grant: string }>(
    {
      name: 'millrace_read_login',
      text: `select session_user as login, format('grant millrace_admin to %I', session_user)
          || case when current_setting('server_version_num')::int < 160000 then '' else ' with set true' end as grant`,
    },
    [],
  )
  throw new MillraceError(
    'database_rights_missing',
    `The login '${row!.login}' may not act as millrace_admin, and a server acts in the name of everybody whom it lets in.`,
    {
      fields: { login: row!.login },
      hint: `Connect as the owner of the schema, or let an administrator of the database run: ${row!.grant};`,
    },
  )
}
