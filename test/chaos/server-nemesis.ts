// What befalls the server: it is killed, loses backends, its disk or its connections, refuses to write, and comes back.
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { until } from '../deadline.ts'
import { isThere } from '../faults/own-server.ts'
import type { Seat } from './fleet.ts'
import type { Fault, ServerFault } from './plan.ts'
import { backMsMax, Returns } from './returns.ts'
import { type Stage, strace } from './stage.ts'

const mendMsMax = 120_000
/** Beyond this many leases nobody takes back what a dead worker held: the server fell again and again. */
const recoveryLeasesMax = 2.5

export class ServerNemesis {
  readonly returns: Returns
  /** From the end of a listening connection until another one listens. */
  readonly backAfterListener: number[] = []
  /** Whether the disk is full on purpose. */
  isFilling = false
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
    this.returns = new Returns(stage.parts.server, stage.parts.seats)
  }

  async bring({ kind, seat, strength }: Fault<ServerFault>): Promise<void> {
    const { server, pooler } = this.#stage.parts
    const ms = 500 + strength * 3_500
    switch (kind) {
      case 'server killed':
        await server.crash()
        await pause(ms / 2)
        await server.start()
        return this.returns.measure(kind)
      case 'server killed during a recovery':
        return this.#killInRecovery(this.#stage.parts.seats[seat]!)
      case 'backend killed':
        return this.#killBackend()
      case 'backends terminated':
        return this.#terminateBackends(0.2 + 0.8 * strength)
      case 'backend terminated during its commit':
        return this.#terminateCommit()
      case 'listener terminated':
        return this.#terminateListener()
      case 'disk full':
        return this.#fillDisk(ms)
      case 'fsync error':
        return this.#failFsync()
      case 'connections exhausted':
        return this.#exhaustConnections(ms)
      case 'server read-only':
        await server.configure('default_transaction_read_only', 'on')
        await pause(ms)
        return server.configure('default_transaction_read_only')
      case 'task table locked':
        return this.#lockTasks(ms)
      case 'pooler killed':
        await pooler!.kill()
        await pause(ms / 2)
        return pooler!.startAgain()
      default:
        throw new Error(`nobody knows how to bring about '${String(kind satisfies never)}'`)
    }
  }

  /** A server that runs, with room and with the settings that it had. It may be in the middle of a recovery, and refuse for a while. */
  async mend(): Promise<void> {
    await until('the server is as it was', () => this.#mendNow().then(isDone, isNotDone), mendMsMax)
  }

  async #mendNow(): Promise<void> {
    const { server, disk } = this.#stage.parts
    disk?.free()
    this.isFilling = false
    await server.start()
    await this.#answers()
    for (const setting of ['default_transaction_read_only', 'synchronous_standby_names'])
      await server.configure(setting)
  }

  /**
   * In the middle of the sweep that takes back what a killed worker held: it has to wait for one of those tasks, and the server ends before it gets it.
   * The worker is stopped where a handler has ended first, so that it holds one at all.
   */
  async #killInRecovery(seat: Seat): Promise<void> {
    const { server } = this.#stage.parts
    const holder = await this.#connect()
    try {
      await seat.alone(async () => {
        try {
          await seat.stopAtEnd(false)
          await holder.query('begin')
          // Those that the stopped worker has locked itself, in the middle of a transaction, would be waited for without end.
          const { rows } = await holder.query<{ own: number }>(
            'select pg_backend_pid() as own from millrace.task t join millrace.worker w on w.id = t.worker_id where w.process_id = $1 for update of t skip locked',
            [seat.pid],
          )
          await seat.kill()
          if (rows[0] === undefined) throw new Error('the worker held nothing')
          await this.#sweepWaitsFor(rows[0].own, recoveryLeasesMax * 1_000 * seat.options.leaseSeconds)
          await server.crash()
          await server.start()
          await this.returns.measure('server killed during a recovery')
        } finally {
          await seat.kill()
          await seat.start()
        }
      })
    } finally {
      await holder.end()
    }
  }

  /** As seen from one connection, often: the sweep gives up after half a second, and begins again with the next heartbeat. */
  async #sweepWaitsFor(pid: number, withinMs: number): Promise<void> {
    const watcher = await this.#connect()
    try {
      const waits = async () => {
        const { rowCount } = await watcher.query(
          "select from pg_stat_activity where application_name in ('millrace upkeep', 'millrace heartbeat') and $1 = any (pg_blocking_pids(pid))",
          [pid],
        )
        return rowCount! > 0
      }
      await until('somebody takes back what a dead worker held', waits, withinMs)
    } finally {
      await watcher.end()
    }
  }

  /** With no room for its log the server ends itself, and does not come back while there is none. At times it has ended nothing. */
  async #fillDisk(ms: number): Promise<void> {
    const { server, disk } = this.#stage.parts
    const witness = await this.#connect()
    let hasFallen = false
    witness.once('end', () => (hasFallen = true))
    this.isFilling = true
    disk!.fill()
    await pause(ms)
    disk!.free()
    this.isFilling = false
    await server.start()
    await this.#answers()
    if (hasFallen) return this.returns.measure('disk full')
    await witness.end()
  }

  async #killBackend(): Promise<void> {
    const [victim] = await this.#stage.parts.server.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name like 'millrace%' order by random() limit 1`,
    )
    if (victim === undefined) throw new Error('no backend is there')
    process.kill(victim.pid, 'SIGKILL')
    await this.#restarted(victim.pid, 'backend killed')
  }

  /** The checkpointer is told that its data can't be written: the server ends all backends and recovers. */
  async #failFsync(): Promise<void> {
    const { server } = this.#stage.parts
    const [victim] = await server.query<{ pid: number }>(
      `select pid from pg_stat_activity where backend_type = 'checkpointer'`,
    )
    const inject = 'fsync,fdatasync:error=EIO'
    const tracer = spawn(
      strace,
      ['-f', '-p', `${victim!.pid}`, '-e', `inject=${inject}`, '-o', '/dev/null'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    let said = ''
    tracer.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')))
    const ended = new Promise((resolve) => tracer.once('close', resolve))
    try {
      await until('strace is attached', () => said.includes('attached'), 5_000)
      await server.query('create table if not exists public.synced (); drop table public.synced')
      await server.query('checkpoint').catch(() => {})
      await this.#restarted(victim!.pid, 'fsync error')
    } finally {
      tracer.kill('SIGKILL')
      await ended
    }
  }

  /** Once the backend is gone and the server answers again, having ended all others. */
  async #restarted(pid: number, after: ServerFault): Promise<void> {
    await until('the end of the backend', () => !isThere(pid), 10_000)
    await this.#answers()
    await this.returns.measure(after)
  }

  async #terminateBackends(share: number): Promise<void> {
    const ended = await this.#terminate(`random() < ${share}`)
    if (ended.length === 0) throw new Error('no backend was hit')
  }

  async #terminate(which: string): Promise<number[]> {
    const rows = await this.#stage.parts.server.query<{ pid: number }>(
      `select pid, pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like 'millrace%' and ${which}`,
    )
    return rows.map(({ pid }) => pid)
  }

  /** A commit that waits for a standby that isn't there has happened, and is not acknowledged. */
  async #terminateCommit(): Promise<void> {
    const { server } = this.#stage.parts
    await server.configure('synchronous_standby_names', 'nobody')
    try {
      await until('a commit that waits', async () => {
        const ended = await server.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'",
        )
        return ended.length > 0
      })
    } finally {
      await server.configure('synchronous_standby_names')
    }
  }

  async #terminateListener(): Promise<void> {
    const before = await this.#listeners()
    if (before.length === 0) throw new Error('nobody listens')
    const begun = performance.now()
    const [pid] = await this.#terminate(`pid = ${before[0]!}`)
    if (pid === undefined) throw new Error('the listener had ended already')
    const others = () =>
      this.#stage.parts.seats.filter(({ wellSince }) => (wellSince ?? Infinity) < begun).length
    const well = others()
    while (performance.now() - begun < backMsMax) {
      const now = await this.#listeners()
      // Where a worker's own fault comes between, this says nothing.
      if (others() !== well) return
      if (now.length >= before.length && !now.includes(pid)) break
      await pause(20)
    }
    this.backAfterListener.push(performance.now() - begun)
  }

  async #listeners(): Promise<number[]> {
    const rows = await this.#stage.parts.server.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'millrace listener' and datname = current_database() order by random()`,
    )
    return rows.map(({ pid }) => pid)
  }

  /** Until the server has refused three in a row, those reserved for superusers too. */
  async #exhaustConnections(ms: number): Promise<void> {
    const taken: pg.Client[] = []
    try {
      for (let refused = 0; refused < 3; ) {
        const connection = new pg.Client(this.#stage.parts.server.url)
        connection.on('error', () => {})
        await connection.connect().then(
          () => taken.push(connection),
          () => refused++,
        )
      }
      await pause(ms)
    } finally {
      await Promise.all(taken.map((connection) => connection.end()))
    }
    await this.#answers()
  }

  async #lockTasks(ms: number): Promise<void> {
    const holder = await this.#connect()
    try {
      await holder.query(
        "begin; set local lock_timeout = '5s'; lock table millrace.task in access exclusive mode",
      )
      await pause(ms)
      await holder.query('commit')
    } finally {
      await holder.end()
    }
  }

  async #connect(): Promise<pg.Client> {
    const connection = new pg.Client({
      connectionString: this.#stage.parts.server.url,
      application_name: 'nemesis',
    })
    connection.on('error', () => {})
    await connection.connect()
    return connection
  }

  #answers(): Promise<boolean> {
    return until('the server answers', async () =>
      this.#stage.parts.server.query('select 1').then(
        () => true,
        () => false,
      ),
    )
  }
}

const isDone = (): boolean => true
const isNotDone = (): boolean => false
