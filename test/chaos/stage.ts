// What the chaos plays on: a server of its own, the ways to it, the world outside, and four workers. What can't be had on this machine is named.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { answerMsMax } from '../../src/db/connection.ts'
import { migrate } from '../../src/db/migrate.ts'
import { type Client, connect } from '../../src/sdk/client.ts'
import { isFaketimeThere } from '../faults/false-clock.ts'
import { type OwnServer, startOwnServer } from '../faults/own-server.ts'
import { isPoolerThere, Pooler } from '../faults/pooler.ts'
import { openProxy, type Proxy } from '../faults/proxy.ts'
import { Disk } from './disk.ts'
import type { Endings } from './endings.ts'
import { Seat, type SeatOptions } from './fleet.ts'
import { NetworkSpace } from './network-space.ts'
import { Outside } from './outside.ts'
import { hooksSecret, tables } from './pipelines.ts'
import type { FaultKind } from './plan.ts'
import { bundleOf, bundleWorker, removeBundle } from './bundle.ts'
import { checkOut, root } from './previous.ts'

export interface StageOptions {
  readonly seed: number
  readonly leaseSeconds: number
  readonly heartbeatMs: number
  readonly slots: number
  readonly diskMegabytes: number
  /** The revision of which a worker comes beside those of today. */
  readonly previous: string
  /** Without faults, to see what the workers use. */
  readonly calm: boolean
}

/** When what was committed tells the verdict what came after what. */
const settings = {
  max_connections: '80',
  max_wal_size: '256MB',
  min_wal_size: '80MB',
  track_commit_timestamp: 'on',
}
export const strace = '/usr/bin/strace'
export const webhookKey = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

interface Parts {
  readonly server: OwnServer
  readonly pool: pg.Pool
  readonly client: Client
  readonly outside: Outside
  /** Between the server and the worker in seat 1. */
  readonly proxy: Proxy
  readonly disk: Disk | undefined
  /** Of the worker in seat 3. */
  readonly network: NetworkSpace | undefined
  /** Between the server and the worker in seat 2. */
  readonly pooler: Pooler | undefined
  /** The worker's program of an earlier revision. */
  readonly previous: string | undefined
  readonly seats: readonly Seat[]
}

export class Stage {
  readonly parts: Parts

  private constructor(parts: Parts) {
    this.parts = parts
  }

  /** Who opens it closes the endings, also where it could not be opened. */
  static async open(options: StageOptions, endings: Endings): Promise<Stage> {
    return new Stage(await endings.during(() => build(options, (ending) => endings.add(ending))))
  }

  /** What can't be had here, each with the reason. */
  get missing(): ReadonlyMap<FaultKind, string> {
    const reasons: Array<[FaultKind, string | false]> = [
      ['disk full', this.parts.disk === undefined && 'a file system can be mounted by root alone'],
      [
        'network cut and healed',
        this.parts.network === undefined && 'a network namespace can be made by root alone',
      ],
      ['pooler killed', this.parts.pooler === undefined && 'PgBouncer is not installed'],
      ['clock of a worker moved', !isFaketimeThere && 'faketime is not installed'],
      ['fsync error', !fs.existsSync(strace) && 'strace is not installed'],
      [
        'worker of the previous version',
        this.parts.previous === undefined && 'there is no earlier revision in this copy of the project',
      ],
    ]
    return new Map(reasons.filter((reason): reason is [FaultKind, string] => reason[1] !== false))
  }

  /** A worker of the previous version first, if there is one: the schema becomes today's while it works, and the others come. */
  async startWorkers(): Promise<void> {
    const { server, client, seats, previous } = this.parts
    if (previous !== undefined) await seats[1]!.start({ program: previous })
    await migrate({ connectionString: server.url })
    await client.secrets.set(hooksSecret, { value: webhookKey })
    await Promise.all(seats.filter(({ pid }) => pid === undefined).map((seat) => seat.start()))
  }
}

/** Opens one thing after the other, and says of each how it ends. */
async function build(options: StageOptions, ends: (ending: () => unknown) => void): Promise<Parts> {
  const disk = Disk.mount(options.diskMegabytes)
  ends(() => disk?.unmount())
  const earlier = checkOut(options.previous)
  ends(() => earlier !== undefined && fs.rmSync(earlier, { recursive: true, force: true }))
  const server = await startOwnServer(settings, disk?.folder, earlier && path.join(earlier, 'sql'))
  ends(() => server.close())
  const pool = new pg.Pool({
    connectionString: server.url,
    max: 6,
    application_name: 'chaos',
    // Whoever looks whether something is stuck is not to be stuck itself.
    query_timeout: answerMsMax,
  })
  pool.on('error', () => {})
  ends(() => pool.end())
  await pool.query(tables)
  const encryptionKeys = { chaos: randomBytes(32).toString('base64') }
  const client = connect({ database: server.url, encryptionKeys })
  ends(() => client.close())
  const outside = new Outside()
  ends(() => outside.close())
  const near = await outside.listen('127.0.0.1')
  const proxy = await openProxy(server.url)
  ends(() => proxy.close())
  const pooler = isPoolerThere ? await Pooler.start(server.url) : undefined
  ends(() => pooler?.close())
  const network = NetworkSpace.open()
  ends(() => network?.close())
  const far = network && (await openProxy(server.url, network.host))
  ends(() => far?.close())
  const directly = { way: 'directly', database: server.url, outside: near, command: [] } as const
  const ways: Array<Pick<SeatOptions, 'way' | 'database' | 'outside' | 'command'>> = [
    directly,
    { ...directly, way: 'by a proxy', database: proxy.through(server.url) },
    pooler === undefined ? directly : { ...directly, way: 'by PgBouncer', database: pooler.url },
    network === undefined || far === undefined
      ? directly
      : {
          way: 'from a network of its own',
          database: far.through(server.url),
          outside: await outside.listen(network.host),
          command: network.command,
        },
  ]
  ends(() => removeBundle(bundleOf(root)))
  const program = await bundleWorker(root)
  const previous = earlier && (await bundleWorker(earlier))
  const seats = ways.map(
    (way, number) => new Seat({ ...options, ...way, number, program, collects: options.calm }),
  )
  ends(() => Promise.all(seats.map((seat) => seat.close())))
  return { server, pool, client, outside, proxy, disk, network, pooler, previous, seats }
}
