// People in a test: a server on which they sign in for real, and a browser's worth of cookies for each.
import { randomBytes } from 'node:crypto'
import { afterEach } from 'vitest'
import { clientCaller } from '../src/db/call.ts'
import { connectClient } from '../src/db/connection.ts'
import { firstAdminLink } from '../src/server/people/first-admin.ts'
import type { PeopleOptions } from '../src/server/people/people.ts'
import { openServer, type Server, type ServerOptions, type Surroundings } from '../src/server/server.ts'
import type { ServerLogEntry } from '../src/server/server-log.ts'
import type { Answer } from './api.ts'
import type { TestDatabase } from './database.ts'

export const strongPassword = 'four quiet herons on a wall'
export const publicUrl = 'https://millrace.test'

interface Sent {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly surroundings?: Surroundings
}

/** Sends a request as it is: who sends it, and from where, is said in its headers. */
type Api = (method: string, path: string, sent?: Sent) => Promise<Answer>

interface Browser {
  /** As a page of the server sends it, with its cookies. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
  /** Its cookies, as it would send them. */
  cookie: string
}

export interface OpenedPeople {
  readonly server: Server
  readonly log: ServerLogEntry[]
  readonly api: Api
  /** The token of a link for the first admin. */
  first(): Promise<string>
  /** Writes somebody down, as an admin would, with strongPassword; answers their id. */
  add(email: string, role?: 'viewer' | 'operator' | 'admin', payloads?: boolean): Promise<string>
  /** Signs somebody in. */
  person(email: string, password?: string): Promise<Browser>
}

export function peopleOn(
  database: TestDatabase,
): (people?: Partial<PeopleOptions>, options?: Partial<ServerOptions>) => Promise<OpenedPeople> {
  const opened = new Set<Server>()
  afterEach(async () => {
    await Promise.all([...opened].map((server) => server.close()))
    opened.clear()
  })
  return async (people = {}, options = {}) => {
    const log: ServerLogEntry[] = []
    const server = await openServer({
      database: database.url,
      pipelines: [],
      url: publicUrl,
      log: (entry) => log.push(entry),
      checkAnswers: true,
      people: { secret: 'a secret of tests that is long enough', breachCheck: false, ...people },
      ...options,
    })
    opened.add(server)
    const url = options.url ?? publicUrl
    const api = apiOf(server, url)
    const first = () => firstToken(database, url)
    return {
      server,
      log,
      api,
      first,
      add: (email, role = 'viewer', payloads = false) => addPerson(database, api, email, { role, payloads }),
      person: (email, password = strongPassword) => signedIn(api, url, email, password),
    }
  }
}

function apiOf(server: Server, url: string): Api {
  return async (method, path, { body, headers = {}, surroundings = {} } = {}) => {
    const response = await server.fetch(
      new Request(`${url}${path}`, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
      surroundings,
    )
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
  }
}

async function firstToken(database: TestDatabase, url: string): Promise<string> {
  const client = await connectClient({ connectionString: database.url, applicationName: 'test' })
  try {
    const made = await firstAdminLink({ caller: clientCaller(client), random: randomBytes, url })
    if (made === undefined) throw new Error('There is an admin who can sign in.')
    return made.link.split('#')[1]!
  } finally {
    await client.end()
  }
}

async function addPerson(
  database: TestDatabase,
  api: Api,
  email: string,
  { role, payloads }: { readonly role: string; readonly payloads: boolean },
): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  await database.query(
    `select millrace.invite_person(gen_random_uuid(), $1, $1, $2, $3, gen_random_uuid(),
       translate(rtrim(encode(sha256(convert_to($4, 'UTF8')), 'base64'), '='), '+/', '-_'), 3600)`,
    [email, role, payloads, token],
  )
  const { status, body } = await api('POST', '/auth/link/use', { body: { token, password: strongPassword } })
  if (status !== 200) throw new Error(`The link of ${email} was answered ${status}.`)
  return body['person']
}

async function signedIn(api: Api, url: string, email: string, password: string): Promise<Browser> {
  const answer = await api('POST', '/auth/sign-in', { body: { email, password } })
  if (answer.status !== 204)
    throw new Error(`${email} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  const browser: Browser = {
    cookie: answer.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';')[0])
      .join('; '),
    ask: (method, path, body, headers = {}) =>
      api(method, path, {
        ...(body === undefined ? {} : { body }),
        headers: { cookie: browser.cookie, origin: url, 'sec-fetch-site': 'same-origin', ...headers },
      }),
  }
  return browser
}
