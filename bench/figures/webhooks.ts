// From a signed request to its 202, which says that the delivery and its run are committed: over 32 connections, from another process.
import { type ChildProcess, fork } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { inFlight, millisecondsOf, quantile, repeat } from '../measure.ts'
import { connect } from '../product.ts'

const connections = 32
const secret = randomBytes(32)
const encryptionKeys = { k1: randomBytes(32).toString('base64') }
const program = fileURLToPath(new URL('../webhook-listener.mjs', import.meta.url))

export const webhooks: Figure = {
  name: 'webhooks',
  measure: (bench) => bench.withDatabase((database) => measure(bench, database)),
}

async function measure(bench: Bench, database: BenchDatabase): Promise<Row[]> {
  const client = connect({ database: database.url, encryptionKeys })
  await client.secrets.set('bench', { value: `whsec_${secret.toString('base64')}` })
  await client.close()
  const child = fork(program, {
    execArgv: [],
    env: { ...process.env, BENCH_LISTENER: JSON.stringify({ database: database.url, encryptionKeys }) },
  })
  const pool = new Pool(`http://127.0.0.1:${await portOf(child)}`, { connections })
  try {
    const rounds = await repeat(bench.rounds, () => sendAll(pool, bench.size(20_000)))
    const row = { unit: 'ms', note: `${connections} connections, the load and the server on this machine` }
    return [
      {
        label: 'webhook: request to 202, durable, p50',
        ours: rounds.map(({ times }) => quantile(times, 0.5)),
        goal: { atMost: 5 },
        ...row,
      },
      {
        label: 'webhook: request to 202, durable, p99',
        ours: rounds.map(({ times }) => quantile(times, 0.99)),
        goal: { atMost: 25 },
        ...row,
      },
      {
        label: 'webhook deliveries a second',
        ours: rounds.map(({ perSecond }) => perSecond),
        unit: 'deliveries/s',
        goal: { atLeast: 2_000 },
        note: row.note,
      },
    ]
  } finally {
    await pool.close()
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  const [told] = (await once(child, 'message')) as [{ port: number }]
  return told.port
}

let sent = 0

async function sendAll(pool: Pool, total: number): Promise<{ times: number[]; perSecond: number }> {
  const times: number[] = []
  const ms = await millisecondsOf(() =>
    inFlight(connections, total, async () => {
      const request = signed(`msg_${sent++}`)
      times.push(await millisecondsOf(() => post(pool, request)))
    }),
  )
  return { times, perSecond: total / (ms / 1_000) }
}

function signed(id: string): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify({ id, name: 'somebody', title: 'a title', company: 'a company of some size' })
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  }
}

async function post(pool: Pool, { body, headers }: ReturnType<typeof signed>): Promise<void> {
  const answer = await pool.request({ path: '/webhooks/people', method: 'POST', body, headers })
  const text = await answer.body.text()
  if (answer.statusCode !== 202) throw new Error(`The listener answered ${answer.statusCode}: ${text}`)
}
