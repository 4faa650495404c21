// A server whose disk is full to the last byte: starts are refused with a time to come back, workers pause, and all goes on once there is room.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import { openServer, type Server } from '../../src/server/server.ts'
import { actorOf } from '../api.ts'
import { until } from '../deadline.ts'
import { allEnded, expectLoadDone, recordFigure, startLoad } from './effects.ts'
import { WorkerPrograms } from './worker-program.ts'

const program = fileURLToPath(new URL('../programs/small-disk-server.ts', import.meta.url))
const megabytes = 220

/** A process whose mounts are its own: as root, or as a user who may be root of a world of its own. */
const ownMounts =
  process.getuid?.() === 0
    ? ['--mount', '--propagation', 'private']
    : ['--user', '--map-current-user', '--keep-caps', '--mount', '--propagation', 'private']
const mayMount =
  spawnSync('unshare', [...ownMounts, 'mount', '-t', 'tmpfs', 'full', '/mnt'], { stdio: 'ignore' }).status ===
  0
if (!mayMount)
  process.stdout.write('Left out: the test of a full disk, because this process may not mount one.\n')

let disk: ChildProcess
let url = ''
const told: Array<{ done: string; url?: string }> = []
const errors: string[] = []
let client: Client | undefined
let server: Server | undefined
const programs = new WorkerPrograms()
const echo = pipeline('disk-echo').step('say', () => 'said')

beforeAll(async () => {
  if (!mayMount) return
  disk = spawn('unshare', [...ownMounts, process.execPath, '--import', 'tsx', program, `${megabytes}`], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, MILLRACE_CHAOS_MOUNTS: '1' },
  })
  disk.stderr!.on('data', (chunk: Buffer) => errors.push(chunk.toString('utf8')))
  createInterface({ input: disk.stdout! }).on('line', (line) =>
    told.push(JSON.parse(line) as { done: string }),
  )
  url = (await done('start')).url!
  client = connect({ database: url })
  await client.start(echo, null)
  server = await openServer({
    database: url,
    pipelines: [],
    rateLimits: false,
    authenticators: [() => Promise.resolve({ actor: actorOf({ role: 'operator' }), ambient: false })],
  })
}, 90_000)
afterAll(async () => {
  if (!mayMount) return
  await programs.killAll()
  await server?.close()
  await client?.close()
  disk.stdin!.end()
  await until('the end of the disk', () => disk.exitCode !== null || disk.signalCode !== null)
}, 60_000)

function done(order: string): Promise<{ done: string; url?: string }> {
  return until(
    `the disk's server did '${order}'`,
    () => {
      if (disk.exitCode !== null) throw new Error(`It ended: ${errors.join('')}`)
      const place = told.findIndex((line) => line.done === order)
      return place < 0 ? undefined : told.splice(place, 1)[0]
    },
    60_000,
  )
}

async function order(text: 'fill' | 'free'): Promise<void> {
  disk.stdin!.write(`${text}\n`)
  await done(text)
}

async function ask(path: string, body?: object): Promise<Response> {
  const init =
    body === undefined
      ? {}
      : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await server!.fetch(new Request(`http://localhost${path}`, init))
  await response.clone().text()
  return response
}

/** What can't be compressed needs room at once. */
const startLarge = () => ask('/runs', { pipeline: 'disk-echo', input: randomBytes(60_000).toString('hex') })

test.skipIf(!mayMount)(
  'B6 with the disk full to the last byte starts get 503 with retry-after, workers pause and no attempt fails, and all goes on once there is room',
  async () => {
    const worker = await programs.start({ database: url, leaseSeconds: 3, heartbeatMs: 300, slots: 6 })
    // Enough that the worker still has outcomes to write when the disk is full.
    const acknowledged = await startLoad(client!, 150, 60)
    await order('fill')
    const refused = await until('a start is refused', async () => {
      const answer = await startLarge()
      return answer.status === 201 ? undefined : answer
    })
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(await refused.text()).not.toContain('extend file')
    acknowledged.push(...(await startWhilePossible()))
    await until('the worker says so', () =>
      worker.logs.some(({ message }) => message?.startsWith("The database can't be used at present")),
    )
    expect((await ask('/health/live')).status).toBe(200)
    expect(worker.ended).toBe(false)
    const metrics = await (await ask('/metrics')).text()
    expect(metrics).toMatch(/millrace_http_requests_total\{operation="startRun",status="503"\} [1-9]/)
    const died = await isAway()

    await order('free')
    const freed = performance.now()
    await until('starts are taken again', async () => (await startLarge()).status === 201)
    await allEnded(ownSql, acknowledged, 30_000)
    await expectLoadDone(ownSql, acknowledged)
    expect(
      await ownSql.query("select count(*)::int as failed from millrace.attempt where outcome = 'failed'"),
    ).toEqual([{ failed: 0 }])
    recordFigure(
      'B6',
      `${megabytes} MB filled up, the server ${died ? 'ended itself' : 'lived on'}; ${acknowledged.length} acknowledged starts, 0 lost, all done ${((performance.now() - freed) / 1_000).toFixed(1)} s after there was room; ${worker.logs.length} log lines`,
    )
    expect(worker.logs.length).toBeLessThan(20)
  },
  90_000,
)

/** Starts whose acknowledgement came, though the disk is full: what room is left in the tables' pages is used. */
async function startWhilePossible(): Promise<string[]> {
  const answers = await Promise.allSettled([startLoad(client!, 1, 1), startLoad(client!, 1, 1)])
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}

const isAway = (): Promise<boolean> =>
  ownSql.query('select 1').then(
    () => false,
    () => true,
  )

const ownSql = {
  query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> => {
    const connection = new pg.Client(url)
    connection.on('error', () => {})
    await connection.connect()
    try {
      return (await connection.query<Row>(text, values)).rows
    } finally {
      await connection.end()
    }
  },
}
