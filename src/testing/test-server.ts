// The server on which test databases are made: its template, and copies of it under the name of this process.
import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import type pg from 'pg'
import { connectClient } from '../db/connection.ts'
import {
  addressOf,
  copyName,
  copyTemplate,
  dropAbandonedCopies,
  dropDatabase,
  ensureTemplate,
  holdCopies,
  shutDatabase,
  templateName,
} from '../db/test-databases.ts'
import { joinEmbeddedServer } from './embedded-server.ts'

/** Points at a server to test on instead of the embedded one; its login must be allowed to create databases. */
const serverVariable = 'TEST_DATABASE_URL'

/** A copy of the migrated template. */
export interface TestCopy {
  /** The address of the login that made it. */
  readonly url: string
  /** Ends every connection to it and lets nobody in, or lets everybody in again. */
  shut(isShut: boolean): Promise<void>
  /** Drops it, whoever is still connected. */
  drop(): Promise<void>
}

export interface TestServerOptions {
  /** A connection string; left out: TEST_DATABASE_URL, or else an embedded server that all test processes of this user share. */
  readonly server?: string | undefined
  /** A migrated template that is there already; left out: one made for the SQL files of this package. */
  readonly template?: string | undefined
}

const servers = new Map<string, Promise<TestServer>>()

/** A new copy of the template; the first one of a process also finds the server, and makes the template where there is none. */
export async function createTestCopy(options: TestServerOptions = {}): Promise<TestCopy> {
  const given = options.server ?? process.env[serverVariable]
  const url = given === undefined || given === '' ? undefined : given
  const name = `${url} ${options.template}`
  const opening = servers.get(name) ?? openServer(url, options.template)
  servers.set(name, opening)
  opening.catch(() => servers.delete(name))
  return (await opening).copy()
}

async function openServer(url: string | undefined, template: string | undefined): Promise<TestServer> {
  return TestServer.open(url ?? (await joinEmbeddedServer()), template)
}

class TestServer {
  readonly #url: string
  readonly #template: string
  readonly #key = randomInt(1, 2 ** 31)
  #count = 0
  #uses = 0
  #client: Promise<pg.Client> | undefined

  private constructor(url: string, template: string) {
    this.#url = url
    this.#template = template
  }

  static async open(url: string, given: string | undefined): Promise<TestServer> {
    const template = given ?? (await templateName(url))
    if (given === undefined) await ensureTemplate(url, template)
    const server = new TestServer(url, template)
    await server.#use(dropAbandonedCopies)
    return server
  }

  async copy(): Promise<TestCopy> {
    const name = copyName(this.#key, this.#count++)
    await this.#use((client) => copyTemplate(client, this.#template, name))
    return {
      url: addressOf(this.#url, name),
      shut: (isShut) => this.#use((client) => shutDatabase(client, name, isShut)),
      drop: () => this.#use((client) => dropDatabase(client, name)),
    }
  }

  /** While it is used, and only then, the connection keeps the process alive. */
  async #use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.#connected()
    const stream = client.connection.stream as Socket
    this.#uses++
    stream.ref()
    try {
      return await work(client)
    } finally {
      if (--this.#uses === 0) stream.unref()
    }
  }

  /** One connection for as long as the process lives; made anew where it was lost. */
  #connected(): Promise<pg.Client> {
    this.#client ??= this.#connect()
    this.#client.catch(() => {
      this.#client = undefined
    })
    return this.#client
  }

  async #connect(): Promise<pg.Client> {
    const client = await connectClient({
      connectionString: this.#url,
      applicationName: 'millrace test copies',
      statementTimeoutMs: 0,
    })
    client.once('end', () => {
      this.#client = undefined
    })
    await holdCopies(client, this.#key)
    return client
  }
}
