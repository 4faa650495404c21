// The roles of sql/roles.sql in the cluster: which statements are still needed, and running them where allowed.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { sqlState } from './database-error.ts'
import { splitStatements } from './sql-statements.ts'
import { isConcurrentUpdate, retryWhen } from './transaction.ts'

export interface RolesResult {
  /** Roles made by this call. */
  created: string[]
  /** Roles that do not exist, because this login may not create them. */
  missing: string[]
  /** The statements that somebody with CREATEROLE still has to run; empty when there are none. */
  sql: string
}

interface RoleStatement {
  sql: string
  /** The same as a statement that can be run again, and leaves what an administrator chose. */
  repeatable: string
  /** The role that the statement makes, or else changes. */
  role: string
  creates: boolean
  isDone: (cluster: ClusterRoles) => boolean
}

interface ClusterRoles {
  settings: Map<string, string[]>
  members: Set<string>
}

/**
 * Runs the statements of roles.sql that the cluster still needs. Roles belong to the cluster and our lock to
 * one database, so each statement runs by itself and another migrator's success counts as ours; a statement
 * this login may not run comes back in `sql`.
 */
export async function createRoles(client: pg.ClientBase, text: string): Promise<RolesResult> {
  const result = { created: [] as string[], refused: [] as RoleStatement[] }
  for (const statement of await neededStatements(client, text)) {
    const outcome = await runStatement(client, statement.sql)
    if (outcome === 'refused') result.refused.push(statement)
    else if (outcome === 'done' && statement.creates) result.created.push(statement.role)
  }
  const join = await neededJoin(client)
  if (join !== undefined) await runStatement(client, join)
  return { created: result.created, ...describeStatements(result.refused) }
}

/** The same account without running anything: every needed statement is in `sql`. */
export async function planRoles(client: pg.ClientBase, text: string): Promise<RolesResult> {
  const { missing, sql } = describeStatements(await neededStatements(client, text))
  const join = await neededJoin(client)
  return { created: [], missing, sql: join === undefined ? sql : `${sql}${join};\n` }
}

/**
 * What lets the login that migrates act as an admin, where it may give itself that: it owns the schema anyway, and commands and servers under it act with
 * the rights of roles. Superusers may already; whoever makes a role may, from PostgreSQL 16 on, only give it on, unless it gives it to itself.
 */
const joinStatement = `select case
         when r.rolsuper then null
         when a.oid is null or v.number < 160000 then case when r.rolcreaterole and pg_has_role(r.oid, a.oid, 'member') is not true then format('grant millrace_admin to %I', r.rolname) end
         when pg_has_role(r.oid, a.oid, 'member with admin option') and not pg_has_role(r.oid, a.oid, 'set')
           then format('grant millrace_admin to %I with inherit false, set true', r.rolname)
       end as statement
       from pg_roles r
      cross join (select current_setting('server_version_num')::int as number) v
       left join pg_roles a on a.rolname = 'millrace_admin'
      where r.rolname = current_user`

async function neededJoin(client: pg.ClientBase): Promise<string | undefined> {
  const { rows } = await client.query<{ statement: string | null }>(joinStatement)
  return rows[0]?.statement ?? undefined
}

/** What makes the roles in a script that nobody adapts to the cluster, and lets whoever applies it act as an admin. */
export function rolesScript(text: string): string {
  const repeatable = parseRoles(text).map((statement) => `${statement.repeatable};\n`)
  return `${repeatable.join('')}${joinScript}`
}

// Refused, it is left: who owns the schema has all that the file goes on with.
const joinScript = `do $script$
declare
  statement text := (${joinStatement});
begin
  if statement is not null then
    execute statement;
  end if;
exception when insufficient_privilege then
  null;
end $script$;
`

/** The roles that roles.sql makes, in its order. */
export function roleNames(text: string): string[] {
  return parseRoles(text)
    .filter(({ creates }) => creates)
    .map(({ role }) => role)
}

/** Those of the given roles that exist in the cluster. */
export async function existingRoles(client: pg.ClientBase, names: string[]): Promise<string[]> {
  const { rows } = await client.query<{ rolname: string }>(
    'select rolname::text from pg_roles where rolname = any($1) order by rolname',
    [names],
  )
  return rows.map(({ rolname }) => rolname)
}

async function neededStatements(client: pg.ClientBase, text: string): Promise<RoleStatement[]> {
  const cluster = await readCluster(client)
  return parseRoles(text).filter((statement) => !statement.isDone(cluster))
}

async function readCluster(client: pg.ClientBase): Promise<ClusterRoles> {
  const { rows: roles } = await client.query<{ role: string; settings: string[] | null }>(
    `select rolname::text as role, rolconfig as settings from pg_roles where rolname like 'millrace%'`,
  )
  const { rows: members } = await client.query<{ pair: string }>(
    `select granted.rolname || ' to ' || member.rolname as pair
     from pg_auth_members m
     join pg_roles granted on granted.oid = m.roleid
     join pg_roles member on member.oid = m.member
     where granted.rolname like 'millrace%'`,
  )
  return {
    settings: new Map(roles.map(({ role, settings }) => [role, settings ?? []])),
    members: new Set(members.map(({ pair }) => pair)),
  }
}

function parseRoles(text: string): RoleStatement[] {
  return splitStatements(text).map(parseStatement)
}

// Three forms and no others: for each of them the catalog tells whether it is needed.
function parseStatement(sql: string): RoleStatement {
  const statement = parseCreate(sql) ?? parseGrant(sql) ?? parseSetting(sql)
  if (statement !== undefined) return statement
  throw new MillraceError(
    'sql_file_invalid',
    `The SQL file roles.sql holds \`${sql}\`, which is no form it knows.`,
    {
      fields: { file: 'roles.sql' },
      hint: `It takes "create role X nologin", "grant X to Y" and "alter role X set name = 'value'"; names begin with millrace_.`,
    },
  )
}

function parseCreate(sql: string): RoleStatement | undefined {
  const [, role] = /^create role (millrace_\w+) nologin$/.exec(sql) ?? []
  if (role === undefined) return undefined
  const repeatable = doUnless(`exists (select from pg_roles where rolname = '${role}')`, sql)
  return { sql, repeatable, role, creates: true, isDone: ({ settings }) => settings.has(role) }
}

function parseGrant(sql: string): RoleStatement | undefined {
  const [, granted, member] = /^grant (millrace_\w+) to (millrace_\w+)$/.exec(sql) ?? []
  if (granted === undefined || member === undefined) return undefined
  const isDone = ({ members }: ClusterRoles): boolean => members.has(`${granted} to ${member}`)
  return { sql, repeatable: sql, role: member, creates: false, isDone }
}

function parseSetting(sql: string): RoleStatement | undefined {
  const [, role, setting] = /^alter role (millrace_\w+) set (\w+) = '[^']*'$/.exec(sql) ?? []
  if (role === undefined) return undefined
  // Another value is an administrator's choice, and stays.
  const isSet = (entry: string): boolean => entry.startsWith(`${setting}=`)
  const wasSet = `select from pg_roles r, unnest(r.rolconfig) entry where r.rolname = '${role}' and starts_with(entry, '${setting}=')`
  const repeatable = doUnless(`exists (${wasSet})`, sql)
  const isDone = ({ settings }: ClusterRoles): boolean => settings.get(role)?.some(isSet) ?? false
  return { sql, repeatable, role, creates: false, isDone }
}

/** A statement that runs another one where a condition does not hold. */
export function doUnless(condition: string, sql: string): string {
  return `do $script$ begin if not ${condition} then ${sql}; end if; end $script$`
}

// 42710 and 23505: another migrator was faster. 42704: the role itself could not be created before.
async function runStatement(client: pg.ClientBase, sql: string): Promise<'done' | 'repeated' | 'refused'> {
  try {
    await retryWhen(isConcurrentUpdate, () => client.query(sql))
    return 'done'
  } catch (error) {
    const state = sqlState(error)
    if (state === '42710' || state === '23505') return 'repeated'
    if (state === '42501' || state === '42704') return 'refused'
    throw error
  }
}

function describeStatements(statements: RoleStatement[]): Omit<RolesResult, 'created'> {
  return {
    missing: statements.filter(({ creates }) => creates).map(({ role }) => role),
    sql: statements.map(({ sql }) => `${sql};\n`).join(''),
  }
}
