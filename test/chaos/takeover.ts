// How long it takes until what a killed worker held begins elsewhere, with the settings that a worker has by default: one task a worker, many workers.
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, connect } from '../../src/sdk/client.ts'
import { until } from '../deadline.ts'
import { type OwnServer, startOwnServer } from '../faults/own-server.ts'
import { isPoolerThere, Pooler } from '../faults/pooler.ts'
import { seededRandom } from '../faults/random.ts'
import { bundleOf, bundleWorker, removeBundle } from './bundle.ts'
import type { Endings } from './endings.ts'
import { Seat, type SeatOptions } from './fleet.ts'
import { heldPipeline } from './pipelines.ts'
import { root } from './previous.ts'
import { type Figure, figureOf, recoveriesOf } from './recovery.ts'
import { dumpStuck } from './stuck.ts'

export interface TakeoverOptions {
  readonly seed: number
  /** Workers that are killed. */
  readonly kills: number
  readonly isPooled: boolean
  readonly tell: (line: string) => void
  /** What it opens ends with these. */
  readonly endings: Endings
}

export interface Takeover extends Figure {
  readonly isPooled: boolean
  /** What p99 may be. */
  readonly secondsMax: number
}

/** What a worker has that was told nothing; those that are killed have one slot each, for their task. */
const byDefault = { leaseSeconds: 10, heartbeatMs: 500, slots: 20 } as const
const perRound = 20
const spreadMs = 2_000
/** By the liveness lock; behind a pooler there is none, and the lease has to run out. */
const secondsMax = { locked: 2, pooled: 15 } as const
const roundMs = 60_000

export async function measureTakeover(options: TakeoverOptions): Promise<Takeover> {
  const { kills, isPooled, seed, tell, endings } = options
  if (isPooled && !isPoolerThere) throw new Error('PgBouncer is not installed.')
  try {
    const { server, pooler, program, client } = await endings.during(() => build(isPooled, endings))
    const given: Omit<SeatOptions, 'number'> = {
      ...byDefault,
      way: isPooled ? 'by PgBouncer' : 'directly',
      database: pooler?.url ?? server.url,
      program,
      outside: '',
      command: [],
      seed,
      collects: false,
    }
    const heirs = [0, 1].map((number) => new Seat({ ...given, number }))
    endings.add(() => Promise.all(heirs.map((seat) => seat.close())))
    await Promise.all(heirs.map((seat) => seat.start()))
    // Who has not been connected for a lease doesn't judge others by their locks.
    await pause(1_000 * byDefault.leaseSeconds)
    const random = seededRandom(seed)
    const took: number[] = []
    while (took.length < kills) {
      const victims = Array.from(
        { length: Math.min(perRound, kills - took.length) },
        (_, number) => new Seat({ ...given, slots: 1, number: heirs.length + number }),
      )
      endings.add(() => Promise.all(victims.map((seat) => seat.close())))
      took.push(...(await killRound({ server, client, heirs, victims, random })))
      tell(`${took.length} of ${kills}`)
    }
    return { ...figureOf(took)!, isPooled, secondsMax: secondsMax[isPooled ? 'pooled' : 'locked'] }
  } finally {
    await endings.close()
  }
}

interface Opened {
  readonly server: OwnServer
  readonly pooler: Pooler | undefined
  readonly program: string
  readonly client: Client
}

async function build(isPooled: boolean, endings: Endings): Promise<Opened> {
  const server = await startOwnServer({ max_connections: '400' })
  endings.add(() => server.close())
  const pooler = isPooled ? await Pooler.start(server.url) : undefined
  endings.add(() => pooler?.close())
  endings.add(() => removeBundle(bundleOf(root)))
  const program = await bundleWorker(root)
  const client = connect({ database: server.url })
  endings.add(() => client.close())
  return { server, pooler, program, client }
}

interface Round {
  readonly server: OwnServer
  readonly client: Client
  readonly heirs: readonly Seat[]
  readonly victims: readonly Seat[]
  readonly random: () => number
}

/** Each victim gets a task, since the heirs rest meanwhile, and is killed at a moment of its own. Answers with the milliseconds of each. */
async function killRound({ server, client, heirs, victims, random }: Round): Promise<number[]> {
  await order(server, 'pause', heirs)
  await Promise.all(victims.map((seat) => seat.start()))
  await client.startMany(
    heldPipeline,
    victims.map(() => null),
  )
  await until(
    'each of them holds a task',
    async () => (await heldBy(server, victims)) === victims.length,
    roundMs,
  )
  await order(server, 'resume', heirs)
  await Promise.all(
    victims.map(async (seat) => {
      await pause(spreadMs * random())
      await seat.kill()
    }),
  )
  await allEnded(server)
  const deaths = victims.flatMap((seat) => seat.deaths)
  const recoveries = await recoveriesOf(server, deaths)
  if (recoveries.length === deaths.length) return recoveries.map(({ ms }) => ms)
  throw new Error(`of ${deaths.length} tasks ${recoveries.length} were taken over`)
}

/** Until each of them has heard of it. */
async function order(server: OwnServer, verb: 'pause' | 'resume', seats: readonly Seat[]): Promise<void> {
  const pids = seats.map(({ pid }) => pid)
  await server.query(
    `select millrace.${verb}_worker(id) from millrace.worker where process_id = any ($1) and gone_at is null`,
    [pids],
  )
  const isPaused = verb === 'pause'
  await until(`the workers are told to ${verb}`, async () => {
    const [row] = await server.query<{ heard: number }>(
      `select count(*)::int as heard from millrace.worker where process_id = any ($1) and gone_at is null and (state = 'paused') = $2`,
      [pids, isPaused],
    )
    return row?.heard === seats.length
  })
}

/** Schedules fire meanwhile: only these tasks count. */
async function heldBy(server: OwnServer, seats: readonly Seat[]): Promise<number> {
  const [row] = await server.query<{ held: number }>(
    `select count(*)::int as held from millrace.task t join millrace.run r on r.id = t.run_id join millrace.worker w on w.id = t.worker_id
      where r.slug = $1 and w.process_id = any ($2)`,
    [heldPipeline.slug, seats.map(({ pid }) => pid)],
  )
  return row!.held
}

/** Tells what is known of those that have not, where it takes too long. */
async function allEnded(server: OwnServer): Promise<void> {
  const live = async () => {
    const rows = await server.query<{ id: string }>(
      'select id from millrace.run where slug = $1 and finished_at is null',
      [heldPipeline.slug],
    )
    return rows.map(({ id }) => id)
  }
  try {
    await until('all of them have ended', async () => (await live()).length === 0, roundMs)
  } catch (error) {
    throw new Error(await dumpStuck(server, await live()), { cause: error })
  }
}
