// PgBouncer in transaction mode before a database: started, ended as by a crash, and started again on the same port.
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { choosePort } from '../../src/embedded/port.ts'
import { until } from '../deadline.ts'
import { makeReachableFolder } from '../reachable-folder.ts'

const program = '/usr/sbin/pgbouncer'

/** How many sessions of the server its clients share. */
export const pooledSessions = 6

export const isPoolerThere = fs.existsSync(program)

export class Pooler {
  /** The address of the database with the pooler in between. */
  readonly url: string
  readonly #folder: string
  #child: ChildProcess | undefined
  #isClosed = false

  private constructor(url: string, folder: string) {
    this.url = url
    this.#folder = folder
  }

  /** Ready when it resolves. */
  static async start(url: string): Promise<Pooler> {
    const target = new URL(url)
    const port = await choosePort(undefined)
    const folder = makeReachableFolder()
    const name = target.pathname.slice(1)
    const user = decodeURIComponent(target.username)
    fs.writeFileSync(path.join(folder, 'users.txt'), `"${user}" "${decodeURIComponent(target.password)}"\n`)
    fs.writeFileSync(
      path.join(folder, 'pgbouncer.ini'),
      `[databases]
${name} = host=${target.hostname} port=${target.port} dbname=${name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${path.join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = ${pooledSessions}
max_client_conn = 200
; As long as it waits by default after a refused login, nobody comes through to a server that is back already.
server_login_retry = 1
`,
    )
    const pooled = new URL(url)
    pooled.port = String(port)
    const pooler = new Pooler(pooled.href, folder)
    try {
      await pooler.startAgain()
      return pooler
    } catch (error) {
      await pooler.close()
      throw error
    }
  }

  async startAgain(): Promise<void> {
    if (this.#isClosed) throw new Error('the pooler is closed for good')
    // It refuses to run as root.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    this.#child = spawn(program, ['-q', path.join(this.#folder, 'pgbouncer.ini')], {
      ...nobody,
      cwd: this.#folder,
      stdio: 'ignore',
    })
    await until('PgBouncer', async () => {
      const probe = new pg.Client(this.url)
      probe.on('error', () => {})
      return probe.connect().then(
        () => probe.end().then(() => true),
        () => false,
      )
    })
  }

  /** Ends it at once, with all connections through it. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  /** For good, also where somebody wants to start it again. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.kill()
    fs.rmSync(this.#folder, { recursive: true, force: true })
  }
}
