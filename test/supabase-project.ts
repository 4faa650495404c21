// A server with the roles of a Supabase project, as its images make them: the login `postgres` owns what migrations make, and is no superuser.
import pg from 'pg'
import { splitStatements } from '../src/db/sql-statements.ts'
import { startTestServer } from './test-server.ts'

export interface SupabaseProject {
  /** The address of `postgres`. */
  readonly url: string
  addressOf(login: string): string
  /** As `postgres`, or another login. */
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: unknown[],
    login?: string,
  ): Promise<Row[]>
  /** As `supabase db push` does: every statement by itself, all of a file in one transaction. */
  push(text: string): Promise<void>
  /** As PostgREST does for a request: with a verified token, in the role that it names. */
  rest(
    role: 'anon' | 'authenticated' | 'service_role',
    text: string,
    values?: unknown[],
    claims?: object,
  ): Promise<Record<string, unknown>[]>
  /** What is notified on a channel while something goes on. */
  hear(channel: string, work: () => Promise<void>): Promise<string[]>
  close(): Promise<void>
}

const password = 'of-a-test'

const demoted = `
alter role postgres rename to bootstrap;
create role postgres login nosuperuser createdb createrole replication bypassrls password '${password}';
create role anon nologin inherit;
create role authenticated nologin inherit;
create role service_role nologin inherit bypassrls;
create role authenticator login noinherit password '${password}';
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s'`

const granted = `
grant all on database project to postgres;
grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to postgres;
alter default privileges in schema public grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to postgres, anon, authenticated, service_role;
create schema extensions;
grant usage on schema extensions to postgres, anon, authenticated, service_role`

export async function startSupabaseProject(): Promise<SupabaseProject> {
  const server = await startTestServer()
  const addressAs = (login: string, database = 'project', secret = password): string => {
    const url = new URL(server.url)
    url.username = login
    url.password = secret
    url.pathname = database
    return url.href
  }
  const within = async <T>(address: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client(address)
    client.on('error', () => {})
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }
  await within(server.url, (client) =>
    client.query(`create role supabase_admin login superuser password '${password}'`),
  )
  await within(addressAs('supabase_admin', 'postgres'), async (client) => {
    await client.query(demoted)
    await client.query('create database project')
  })
  await within(addressAs('supabase_admin'), (client) => client.query(granted))
  return {
    url: addressAs('postgres'),
    addressOf: (login) => addressAs(login),
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = [], login = 'postgres') =>
      within(addressAs(login), async (client) => (await client.query<Row>(text, values)).rows),
    push: (text) => within(addressAs('postgres'), (client) => pushOver(client, text)),
    rest: (role, text, values = [], claims = {}) =>
      within(addressAs('authenticator'), async (client) => {
        await client.query(`begin; set local role ${role}`)
        await client.query(`select set_config('request.jwt.claims', $1, true)`, [
          JSON.stringify({ role, ...claims }),
        ])
        const { rows } = await client.query<Record<string, unknown>>(text, values)
        await client.query('commit')
        return rows
      }),
    hear: (channel, work) =>
      within(addressAs('postgres'), async (client) => {
        const heard: string[] = []
        client.on('notification', ({ payload }) => heard.push(payload ?? ''))
        await client.query(`listen ${channel}`)
        await work()
        // What was notified before comes before this answer.
        await client.query('select')
        return heard
      }),
    close: () => server.stop(),
  }
}

async function pushOver(client: pg.Client, file: string): Promise<void> {
  await client.query('begin')
  for (const text of splitStatements(file)) {
    // The extended protocol refuses two statements in one.
    const alone = { text, queryMode: 'extended' }
    await client.query(alone)
  }
  await client.query('commit')
}
