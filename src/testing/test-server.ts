// The server on which test databases are made: its template, and copies of it under the name of this process.
import type { Socket } from 'node:net'
// Those of the machine also where a test has put others in their place.
import { clearTimeout, setTimeout } from 'node:timers'
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
  newCopyKey,
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

/** From one test to the next the connection stays. */
const idleMs = 1_000

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
  readonly #key = newCopyKey()
  #count = 0
  #copies = 0
  #uses = 0
  #client: Promise<pg.Client> | undefined
  #idle: NodeJS.Timeout | undefined

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
    this.#copies++
    await this.#use((client) => copyTemplate(client, this.#template, name)).catch((error: unknown) => {
      this.#copies--
      throw error
    })
    return {
      url: addressOf(this.#url, name),
      shut: (isShut) => this.#use((client) => shutDatabase(client, name, isShut)),
      drop: () =>
        this.#use(async (client) => {
          this.#copies--
          await dropDatabase(client, name)
        }),
    }
  }

  /** While it is used, and only then, the connection keeps the process alive. */
  async #use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle)
    this.#uses++
    try {
      const client = await this.#connected()
      const stream = client.connection.stream as Socket
      stream.ref()
      try {
        return await work(client)
      } finally {
        if (this.#uses === 1) stream.unref()
      }
    } finally {
      if (--this.#uses === 0 && this.#copies === 0) this.#endSoon()
    }
  }

  /** A runner may give each test file its own modules in one process: none of them keeps a connection that nobody needs. */
  #endSoon(): void {
    this.#idle = setTimeout(() => {
      const client = this.#client
      this.#client = undefined
      void client?.then((connected) => connected.end()).catch(() => {})
    }, idleMs)
    this.#idle.unref()
  }

  /** One connection for as long as there are copies; made anew where it was lost. */
  #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client
    const client = this.#connect()
    const forget = () => {
      if (this.#client === client) this.#client = undefined
    }
    client.then((connected) => connected.once('end', forget), forget)
    this.#client = client
    return client
  }

  async #connect(): Promise<pg.Client> {
    const client = await connectClient({
      connectionString: this.#url,
      applicationName: 'millrace test copies',
      statementTimeoutMs: 0,
    })
    await holdCopies(client, this.#key)
    return client
  }
}
