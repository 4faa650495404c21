// What a worker holds more after hundreds of reconnects: one that is never killed is cut off again and again under load, and its descriptors, its heap and its
// backends are compared.
import fs from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, connect } from '../../src/sdk/client.ts'
import { until } from '../deadline.ts'
import { type OwnServer, startOwnServer } from '../faults/own-server.ts'
import { openProxy, type Proxy } from '../faults/proxy.ts'
import { seededRandom } from '../faults/random.ts'
import { bundleOf, bundleWorker, removeBundle } from './bundle.ts'
import type { Endings } from './endings.ts'
import { Seat } from './fleet.ts'
import { light } from './light-pipelines.ts'
import { root } from './previous.ts'
import { firstFifth, lastFifth, median } from './soak.ts'

export interface ReconnectsOptions {
  readonly seed: number
  readonly cuts: number
  readonly tell: (line: string) => void
  /** What it opens ends with these. */
  readonly endings: Endings
}

/** What the worker holds while it has nothing to do. */
export interface Held {
  readonly cut: number
  readonly heapBytes: number
  readonly descriptors: number
  readonly backends: number
}

export interface Reconnects {
  readonly cuts: number
  readonly samples: readonly Held[]
  /** Of its process, which nobody was to end. */
  readonly unexpected: readonly string[]
}

const slots = 10
/** At so many cuts it is looked at; the first fifth is left out, since it becomes warm. */
const looks = 50
const runsPerCut = 20
const backWithinMs = 30_000
/** Until pools have closed what they don't need. */
const restMs = 1_000
const aliveMs = 500

export async function measureReconnects(options: ReconnectsOptions): Promise<Reconnects> {
  const { seed, cuts, tell, endings } = options
  try {
    const opened = await endings.during(() => build(seed, endings))
    await opened.seat.start()
    const random = seededRandom(seed)
    const samples: Held[] = []
    const every = Math.max(1, Math.floor(cuts / looks))
    for (let cut = 1; cut <= cuts; cut++) {
      await cutOff(opened, random)
      if (cut % every !== 0) continue
      samples.push(await look(opened, cut))
      tell(sampleLine(samples.at(-1)!))
    }
    await opened.seat.stop()
    return { cuts, samples, unexpected: opened.seat.unexpected }
  } finally {
    await endings.close()
  }
}

interface Opened {
  readonly server: OwnServer
  readonly client: Client
  readonly proxy: Proxy
  readonly seat: Seat
}

async function build(seed: number, endings: Endings): Promise<Opened> {
  const server = await startOwnServer()
  endings.add(() => server.close())
  const client = connect({ database: server.url })
  endings.add(() => client.close())
  const proxy = await openProxy(server.url)
  endings.add(() => proxy.close())
  endings.add(() => removeBundle(bundleOf(root)))
  const seat = new Seat({
    number: 0,
    seed,
    program: await bundleWorker(root),
    way: 'by a proxy',
    database: proxy.through(server.url),
    outside: '',
    command: [],
    leaseSeconds: 10,
    heartbeatMs: aliveMs,
    slots,
    collects: true,
  })
  endings.add(() => seat.close())
  return { server, client, proxy, seat }
}

/** In the middle of its work, at both of its ends or at the server alone; until it has done all of it. */
async function cutOff({ server, client, proxy }: Opened, random: () => number): Promise<void> {
  const inputs = Array.from({ length: runsPerCut }, (_, lane) => ({
    n: lane,
    lane,
    expected: lane + 1,
    fails: false,
    nonce: `cut ${lane}`,
  }))
  await client.startMany(light.one, inputs)
  await pause(100 * random())
  if (random() < 0.5) proxy.cut()
  else
    await server.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'millrace%' and client_port is not null",
    )
  await until('all of its work is done', () => isDone(server), backWithinMs)
}

async function isDone(server: OwnServer): Promise<boolean> {
  const [row] = await server.query<{ live: boolean }>('select exists (select from millrace.task) as live')
  return !row!.live
}

async function look({ server, seat }: Opened, cut: number): Promise<Held> {
  await pause(restMs)
  // What it allocated for the last answer is collected with the second.
  for (let time = 0; time < 2; time++) await seat.measured()
  const [row] = await server.query<{ backends: number }>(
    "select count(*)::int as backends from pg_stat_activity where datname = current_database() and application_name like 'millrace%'",
  )
  const descriptors = fs.readdirSync(`/proc/${seat.pid}/fd`).length
  return { cut, heapBytes: seat.heapBytes!, descriptors, backends: row!.backends }
}

/** Pools open a connection more when many ask at once. */
const moreMost = 2
/** What one cut may leave behind: a listener, a timer or a closure that stays is larger, and what V8 does by itself is smaller over some hundreds. */
const bytesPerCutMost = 1_024
/** Over fewer the noise is larger than that. */
const judgedCuts = 200

/** Sentences; none where a worker holds no more than before. */
export function reconnectFaults({ cuts, samples, unexpected }: Reconnects): string[] {
  const { first, last, bytesPerCut } = comparedOf(samples)
  const grew = (['descriptors', 'backends'] as const).filter((what) => last[what] > first[what] + moreMost)
  return [
    ...unexpected,
    ...grew.map(
      (what) => `The ${what} of a worker that was cut off grew from ${first[what]} to ${last[what]}.`,
    ),
    ...(cuts < judgedCuts || bytesPerCut <= bytesPerCutMost
      ? []
      : [
          `The heap of a worker grew by ${bytesPerCut.toFixed(0)} bytes with each time that it was cut off; ${bytesPerCutMost} are the most.`,
        ]),
  ]
}

interface Compared {
  /** Medians: of how many connections a pool has at rest, chance decides. */
  readonly first: Held
  readonly last: Held
  /** By a straight line, least squares. */
  readonly bytesPerCut: number
}

/** Without the first fifth. */
function comparedOf(all: readonly Held[]): Compared {
  const samples = all.slice(Math.floor(all.length / 5))
  const mean = (of: (held: Held) => number) =>
    samples.reduce((sum, held) => sum + of(held), 0) / samples.length
  const [cut, heap] = [mean((held) => held.cut), mean((held) => held.heapBytes)]
  const over = samples.reduce((sum, held) => sum + (held.cut - cut) * (held.heapBytes - heap), 0)
  const under = samples.reduce((sum, held) => sum + (held.cut - cut) ** 2, 0)
  return {
    first: mediansOf(firstFifth(samples)),
    last: mediansOf(lastFifth(samples)),
    bytesPerCut: under === 0 ? 0 : over / under,
  }
}

function mediansOf(samples: readonly Held[]): Held {
  const of = (what: keyof Held) => median(samples.map((held) => held[what]))
  return {
    cut: of('cut'),
    heapBytes: of('heapBytes'),
    descriptors: of('descriptors'),
    backends: of('backends'),
  }
}

/** For people: a line for each figure. */
export function reconnectLines({ cuts, samples }: Reconnects): string[] {
  const { first, last, bytesPerCut } = comparedOf(samples)
  const judged = cuts < judgedCuts ? `, not judged: fewer than ${judgedCuts} cuts` : ''
  return [
    `Cut off ${cuts} times, of which the first fifth is left out:`,
    sampleLine(first),
    sampleLine(last),
    `The heap grew by ${bytesPerCut.toFixed(0)} bytes a cut${judged}.`,
  ]
}

function sampleLine({ cut, heapBytes, descriptors, backends }: Held): string {
  return `after ${cut} cuts: heap ${(heapBytes / 1_048_576).toFixed(2)} MB, ${descriptors} descriptors, ${backends} backends`
}
