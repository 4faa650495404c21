// From a signed request to its 202, which says that the delivery and its run are committed: over 32 connections, from another process.
import { type ChildProcess, fork } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { inFlight, millisecondsOf, quantile, repeat } from '../measure.ts'
import { connect } from '../product.ts'

const connections = 32
const pacePerSecond = 2_000
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
    const rounds = await repeat(bench.rounds, async () => ({
      paced: await sendPaced(pool, bench.size(10_000)),
      most: await sendAll(pool, bench.size(20_000)),
    }))
    const where = `${connections} connections, the load and the server on this machine`
    const row = { unit: 'ms', note: `from when it was due, ${pacePerSecond} a second; ${where}` }
    return [
      {
        label: 'webhook: request to 202, durable, p50',
        ours: rounds.map(({ paced }) => quantile(paced, 0.5)),
        goal: { atMost: 5 },
        ...row,
      },
      {
        label: 'webhook: request to 202, durable, p99',
        ours: rounds.map(({ paced }) => quantile(paced, 0.99)),
        goal: { atMost: 25 },
        ...row,
      },
      {
        label: 'webhook deliveries a second, at most',
        ours: rounds.map(({ most }) => most.perSecond),
        unit: 'deliveries/s',
        goal: { atLeast: 2_000 },
        note: `each connection at once again: ${where}`,
      },
      {
        label: 'webhook: request to 202 at that rate, p50',
        ours: rounds.map(({ most }) => quantile(most.times, 0.5)),
        unit: 'ms',
        note: where,
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

/**
 * Sends at an even pace, whatever the answers do: each is timed from when it was due, so that what an earlier one held up counts.
 * Senders of webhooks don't wait for each other either.
 */
async function sendPaced(pool: Pool, total: number): Promise<number[]> {
  const times: number[] = []
  const begun = performance.now()
  const under: Promise<void>[] = []
  while (under.length < total) {
    const due = Math.min(total, ((performance.now() - begun) / 1_000) * pacePerSecond)
    while (under.length < due) {
      const dueAt = begun + (under.length / pacePerSecond) * 1_000
      under.push(
        post(pool, signed(`msg_${sent++}`)).then(() => {
          times.push(performance.now() - dueAt)
        }),
      )
    }
    await pause(1)
  }
  await Promise.all(under)
  return times
}

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
