// Owns what a command works with: the global options, the terminal, the configuration and the database, each when it is asked for.
import path from 'node:path'
import type pg from 'pg'
import { connectHttp, type HttpClient } from '../client/http-client.ts'
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { type Caller, clientCaller } from '../db/call.ts'
import { connectClient } from '../db/connection.ts'
import { checkSchema } from '../db/schema-check.ts'
import { createCipher } from '../sdk/sealed-runs.ts'
import { findConfig, type LoadedConfig, loadConfig } from './config-file.ts'
import { type ChosenDatabase, chooseDatabase, type DatabaseSources } from './database-choice.ts'
import { localOnly, remoteCaller } from './remote/caller.ts'
import { tellingHidden } from './remote/hidden-payloads.ts'
import { type ChosenServer, chooseServer } from './remote/server-choice.ts'
import { createTerminal, type Streams, type Terminal } from './terminal.ts'

/** In which `dev` tells its worker the address: an argument could be read by everybody on the machine. */
export const devDatabaseVariable = 'MILLRACE_DEV_DATABASE'

export interface GlobalOptions {
  readonly database?: string
  readonly server?: string
  readonly config?: string
  readonly json?: boolean
  readonly debug?: boolean
}

export interface Surroundings extends Streams {
  readonly folder: string
  /** That of the process unless told. */
  readonly stdin?: AsyncIterable<string | Uint8Array>
}

export interface OpenDatabase {
  readonly url: string
  readonly directUrl: string | undefined
  readonly caller: Caller
  readonly client: pg.Client
}

/** The session of the command that runs. */
export type CurrentSession = () => Session

export class Session {
  readonly options: GlobalOptions
  readonly terminal: Terminal
  readonly surroundings: Surroundings
  /** What the process ends with where the command says it without an error. */
  exitStatus = 0
  /** Something may keep the process alive that nobody waits for any more. */
  mustExit = false
  #loaded: Promise<LoadedConfig> | undefined
  #remote: { readonly client: HttpClient | undefined } | undefined

  constructor(options: GlobalOptions, surroundings: Surroundings) {
    this.options = options
    this.surroundings = surroundings
    this.terminal = createTerminal(surroundings, options.json === true)
  }

  /** The file that --config names, else the nearest one; undefined where there is none. */
  get configFile(): string | undefined {
    const { folder } = this.surroundings
    return this.options.config === undefined ? findConfig(folder) : path.resolve(folder, this.options.config)
  }

  /** The folder of the configuration, else the one that the command was called in. */
  get project(): string {
    return this.configFile === undefined ? this.surroundings.folder : path.dirname(this.configFile)
  }

  /** Undefined where there is none. @throws MillraceError config_not_loadable, config_invalid, and those of pipeline() */
  async findConfig(onImport?: (file: string) => void): Promise<LoadedConfig | undefined> {
    const file = this.configFile
    if (file === undefined) return undefined
    this.#loaded ??= loadConfig(file, onImport)
    return this.#loaded
  }

  /** What encrypts and decrypts; undefined where no key is given. @throws MillraceError encryption_key_invalid, and those of findConfig */
  async findCipher(): Promise<Cipher | undefined> {
    const loaded = await this.findConfig()
    return createCipher(loaded?.config.encryptionKeys, this.surroundings.environment)
  }

  /** @throws MillraceError config_missing, and those of findConfig */
  async needConfig(onImport?: (file: string) => void): Promise<LoadedConfig> {
    const loaded = await this.findConfig(onImport)
    if (loaded !== undefined) return loaded
    throw new MillraceError(
      'config_missing',
      `No millrace.config.ts was found in ${this.surroundings.folder} or above it.`,
      { hint: 'Write a first one with: npx millrace init' },
    )
  }

  /** @throws MillraceError config_variable_missing, and those of startEmbeddedPostgres and findConfig */
  async chooseDatabase(
    options: Pick<DatabaseSources, 'mayCreate' | 'log'> = { mayCreate: false },
  ): Promise<ChosenDatabase> {
    if (this.options.server !== undefined) throw localOnly()
    const database =
      this.options.database ?? (this.surroundings.environment[devDatabaseVariable] || undefined)
    return chooseDatabase({
      option: database,
      // What the command line names needs no configuration, which may be broken.
      config: database === undefined ? (await this.findConfig())?.config : undefined,
      environment: this.surroundings.environment,
      project: this.project,
      ...options,
    })
  }

  /** For what works on the database itself and serves nobody: whoever has named a server means that one. @throws MillraceError command_local, and those of chooseDatabase */
  async chooseOwnDatabase(): Promise<ChosenDatabase> {
    if (this.chosenServer !== undefined) throw localOnly()
    return this.chooseDatabase()
  }

  /** The API of the server that the command works on; undefined where it works on a database. @throws MillraceError those of chooseServer */
  get remote(): HttpClient | undefined {
    this.#remote ??= { client: this.#connectRemote() }
    return this.#remote.client
  }

  /** Undefined where the command works on a database. @throws MillraceError those of chooseServer */
  get chosenServer(): ChosenServer | undefined {
    const { server, database } = this.options
    return chooseServer({ server, database, environment: this.surroundings.environment })
  }

  #connectRemote(): HttpClient | undefined {
    const chosen = this.chosenServer
    if (chosen === undefined) return undefined
    return tellingHidden(connectHttp(chosen), (words) => this.terminal.note(words))
  }

  /**
   * Runs `work` with a connection to a database whose schema fits, and closes it; over HTTP, with a caller that asks the server.
   *
   * @throws MillraceError schema_missing, schema_outdated, schema_newer, and those of chooseDatabase and connectClient
   */
  async withDatabase<T>(work: (database: OpenDatabase) => Promise<T>): Promise<T> {
    if (this.remote !== undefined) return work(remoteDatabase(this.remote))
    const { url, directUrl, release } = await this.chooseDatabase()
    try {
      const client = await connectClient({ connectionString: url, applicationName: 'millrace command' })
      try {
        await checkSchema(client)
        return await work({ url, directUrl, client, caller: clientCaller(client) })
      } finally {
        await client.end()
      }
    } finally {
      await release()
    }
  }
}

/** A server has no address of its database to give, and no connection. */
function remoteDatabase(client: HttpClient): OpenDatabase {
  return {
    caller: remoteCaller(client),
    directUrl: undefined,
    get url(): string {
      throw localOnly()
    },
    get client(): pg.Client {
      throw localOnly()
    },
  }
}
