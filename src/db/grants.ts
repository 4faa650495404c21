// Who may do what in schema millrace: everything is taken from everybody, then given by the list sql/grants.sql.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { doUnless } from './roles.ts'
import { runFile } from './sql-file-run.ts'
import { splitStatements } from './sql-statements.ts'

/** Roles of hosted platforms that everyone on the internet may take; they never get anything from us. */
export const OUTSIDE_ROLES = ['anon', 'authenticated']

interface GrantStatement {
  sql: string
  roles: string[]
  policy: { name: string; table: string } | undefined
}

/**
 * Turns row security on wherever it is off, takes all rights in the schema from public, the outside roles and our
 * own roles, so that the list is the whole truth about them, then runs the statements whose roles exist. Rights
 * that an owner gave to a role of his own stay. Part of the apply's transaction: nobody sees a moment without rights.
 */
export async function applyGrants(client: pg.ClientBase, text: string, existing: string[]): Promise<void> {
  const statements = await neededStatements(client, text, existing)
  await client.query(ROW_SECURITY)
  await client.query(revocation(['public', ...existing]))
  for (const { sql } of statements) await runFile(client, 'grants.sql', sql)
}

/** The tables that applyGrants gives a policy or row security: either locks a table against everybody. */
export async function tablesLockedByGrants(
  client: pg.ClientBase,
  text: string,
  existing: string[],
): Promise<string[]> {
  const statements = await neededStatements(client, text, existing)
  const { rows } = await client.query<{ table: string }>(
    `select relname::text as table from pg_class where ${IS_OPEN_TABLE}`,
  )
  const getPolicies = statements.flatMap(({ policy }) => (policy === undefined ? [] : [policy.table]))
  return [...rows.map(({ table }) => table), ...getPolicies]
}

/** The same in a script that nobody adapts to the database: all of our roles are there, and the outside ones may be. */
export function grantsScript(text: string, roles: readonly string[]): string {
  const outside = OUTSIDE_ROLES.map((role) => `'${role}'`).join(', ')
  const statements = parseGrants(text).map(({ sql, policy }) =>
    policy === undefined ? sql : doUnless(isTherePolicy(policy), sql),
  )
  return [
    ROW_SECURITY.trim(),
    ...revocations(['public', ...roles].map(quoted).join(', ')),
    `do $script$ declare outside name; begin for outside in select rolname from pg_roles where rolname in (${outside}) loop ${revocations(
      '%1$I',
    )
      .map((revocation) => `execute format('${revocation}', outside);`)
      .join(' ')} end loop; end $script$`,
    ...statements,
  ]
    .map((statement) => `${statement};\n`)
    .join('')
}

function isTherePolicy({ name, table }: { name: string; table: string }): string {
  return `exists (select from pg_policies where schemaname = 'millrace' and policyname = '${name}' and tablename = '${table}')`
}

const IS_OPEN_TABLE = `relnamespace = 'millrace'::regnamespace and relkind in ('r', 'p') and not relrowsecurity`

// A table that a migration forgot is closed to everybody but its owner, instead of open to whoever gets a grant.
const ROW_SECURITY = `
do $$
declare
  open_table regclass;
begin
  for open_table in
    select oid::regclass from pg_class where ${IS_OPEN_TABLE}
  loop
    execute format('alter table %s enable row level security', open_table);
  end loop;
end $$`

function revocation(roles: string[]): string {
  return `${revocations(roles.map(quoted).join(', ')).join(';\n')};`
}

function revocations(from: string): string[] {
  return ['schema', 'all tables in schema', 'all sequences in schema', 'all routines in schema'].map(
    (what) => `revoke all on ${what} millrace from ${from}`,
  )
}

function quoted(role: string): string {
  return role === 'public' ? role : `"${role}"`
}

/** Those whose roles exist. Making a policy locks its table against everybody, so one that is there stays. */
async function neededStatements(
  client: pg.ClientBase,
  text: string,
  existing: string[],
): Promise<GrantStatement[]> {
  const statements = parseGrants(text)
  const policies = await existingPolicies(client)
  return statements.filter(({ roles, policy }) => {
    const isMade = policy !== undefined && policies.has(`${policy.name} on ${policy.table}`)
    return !isMade && roles.every((role) => existing.includes(role))
  })
}

async function existingPolicies(client: pg.ClientBase): Promise<Set<string>> {
  const { rows } = await client.query<{ policy: string }>(
    `select policyname || ' on ' || tablename as policy from pg_policies where schemaname = 'millrace'`,
  )
  return new Set(rows.map(({ policy }) => policy))
}

function parseGrants(text: string): GrantStatement[] {
  return splitStatements(text).map(parseGrant)
}

function parseGrant(sql: string): GrantStatement {
  const [, list] = /^(?:grant|create policy)\s[\s\S]*?\sto\s+([\w\s,]+?)(?:\s+using\s*\(|$)/.exec(sql) ?? []
  const roles = list?.split(',').map((role) => role.trim()) ?? []
  if (roles.length === 0 || !roles.every((role) => /^millrace_\w+$/.test(role))) {
    throw new MillraceError(
      'sql_file_invalid',
      `The SQL file grants.sql holds \`${sql}\`, which is no form it knows.`,
      {
        fields: { file: 'grants.sql' },
        hint: 'It takes `grant … to R` and `create policy P on millrace.T … to R using (…)`, where R is a role of Millrace.',
      },
    )
  }
  const [, name, table] = /^create policy (\w+) on millrace\.(\w+)\s/.exec(sql) ?? []
  return { sql, roles, policy: name !== undefined && table !== undefined ? { name, table } : undefined }
}
