// Application users of two tenants on the database of a test file: as PostgREST, an application's server, and logins of their own ask; and runs that wait for them.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { pipeline } from '../src/sdk/pipeline.ts'
import type { TestDatabase } from './database.ts'
import { until } from './deadline.ts'
import type { Opened } from './millrace.ts'

export interface ApplicationUsers {
  /** As Supabase has them: the login of PostgREST, and the role of whoever has signed in; a login for each tenant; that of a server. */
  readonly roles: Readonly<Record<'authenticator' | 'authenticated' | 'acme' | 'bolt' | 'server', string>>
  /** Ids by what asks: 'acme' names ann, 'acme roles' the role billing, 'acme anybody' nobody; 'bolt' is another tenant's, 'nobody' no tenant's. */
  readonly runs: Readonly<Record<string, string>>
  /** The connection of tenant acme's own login, and that of the server. */
  readonly acme: pg.Client
  readonly server: pg.Client
  /** As PostgREST does it for each request, once it has verified the token. */
  request<Row extends pg.QueryResultRow = Record<string, unknown>>(
    claims: unknown,
    text: string,
    values?: unknown[],
  ): Promise<Row[]>
  approvalOf(name: string): Promise<string>
}

export const asks = pipeline('tenant-asks', { input: undefined }).step('ask', async ({ durable, input }) => {
  const asked = input as unknown as { people?: string[]; roles?: string[] }
  return durable.approval('boss', { title: 'May it?', ...asked } as never)
})

/** Made before the tests of the file, and gone after them. */
export function openApplicationUsers(database: TestDatabase, opened: Opened): ApplicationUsers {
  const suffix = randomBytes(4).toString('hex')
  const roles = {
    authenticator: `authenticator_${suffix}`,
    authenticated: `authenticated_${suffix}`,
    acme: `acme_${suffix}`,
    bolt: `bolt_${suffix}`,
    server: `server_${suffix}`,
  }
  const runs: Record<string, string> = {}
  const clients: Record<string, pg.Client> = {}
  const connectAs = async (login: string): Promise<pg.Client> => {
    const url = new URL(database.url)
    url.username = login
    url.password = 'x'
    const client = new pg.Client(url.href)
    client.on('error', () => {})
    await client.connect()
    return client
  }

  beforeAll(async () => {
    await database.query(`
      create role ${roles.authenticator} login noinherit password 'x';
      create role ${roles.authenticated} nologin;
      grant ${roles.authenticated} to ${roles.authenticator};
      grant millrace_gateway to ${roles.authenticator};
      grant millrace_tenant to ${roles.authenticated};
      create role ${roles.acme} login password 'x' in role millrace_tenant;
      create role ${roles.bolt} login password 'x' in role millrace_tenant;
      create role ${roles.server} login password 'x' in role millrace_tenant, millrace_gateway`)
    await database.query('select millrace.assign_tenant($1, $2)', [roles.acme, 'acme'])
    await database.query('select millrace.assign_tenant($1, $2)', [roles.bolt, 'bolt'])
    const client = opened.client()
    const start = async (name: string, tenant: string | undefined, input: unknown) => {
      const { run } = await client.start(asks, input as never, tenant === undefined ? {} : { tenant })
      runs[name] = run!.id
    }
    await start('acme', 'acme', { people: ['ann'] })
    await start('acme roles', 'acme', { roles: ['billing'] })
    await start('acme anybody', 'acme', {})
    await start('bolt', 'bolt', { people: ['ann', roles.acme] })
    await start('nobody', undefined, { people: ['ann'] })
    await opened.worker({ pipelines: [asks] })
    await until('all ask', async () => {
      const [row] = await database.query<{ n: number }>('select count(*)::int as n from millrace.approval')
      return row?.n === 5
    })
    await database.query('analyze millrace.run, millrace.approval')
    for (const login of ['authenticator', 'acme', 'server'] as const)
      clients[login] = await connectAs(roles[login])
  })
  afterAll(async () => {
    await Promise.all(Object.values(clients).map((client) => client.end()))
    for (const role of Object.values(roles)) {
      await database.query(`drop owned by ${role}`)
      await database.query(`drop role ${role}`)
    }
  })

  return {
    roles,
    runs,
    get acme() {
      return clients['acme']!
    },
    get server() {
      return clients['server']!
    },
    request: async <Row extends pg.QueryResultRow>(claims: unknown, text: string, values: unknown[] = []) => {
      const api = clients['authenticator']!
      await api.query(`begin; set local role ${roles.authenticated}`)
      try {
        await api.query(`select set_config('request.jwt.claims', $1, true)`, [
          typeof claims === 'string' ? claims : JSON.stringify(claims),
        ])
        const { rows } = await api.query<Row>(text, values)
        await api.query('commit')
        return rows
      } catch (error) {
        await api.query('rollback')
        throw error
      }
    },
    approvalOf: async (name) => {
      const [row] = await database.query<{ id: string }>(
        'select id from millrace.approval where run_id = $1',
        [runs[name]],
      )
      return row!.id
    },
  }
}
