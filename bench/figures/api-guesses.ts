// A million guesses of keys (fault J6): none is taken, and whoever has a key hardly notices.
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import { type ApiServer, withApiServer } from '../api-server.ts'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { commits } from './api.ts'
import { inFlight, millisecondsOf, quantile } from '../measure.ts'

const connections = 64

export const apiGuesses: Figure = {
  name: 'api-guesses',
  measure: (bench) => bench.withDatabase((database) => measureGuesses(bench, database)),
}

async function measureGuesses(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  return withApiServer({ database: url, connections: 1 }, async (server) => {
    const total = bench.size(1_000_000)
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
    const statuses = new Map<number, number>()
    const beside: number[] = []
    let isOver = false
    const asking = askBeside(server, beside, () => isOver)
    const before = await commits(pool)
    const ms = await millisecondsOf(() =>
      inFlight(connections, total, async (n) => {
        const status = await guess(server, agent, n)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }),
    )
    const cost = (await commits(pool)) - before
    isOver = true
    await asking
    agent.destroy()
    const note = `${total.toLocaleString('en')} guesses in ${Math.round(ms / 1_000)} s, ${connections} connections of one address; ${counts(statuses)}`
    const taken = [...statuses].reduce((sum, [status, count]) => sum + (isRefused(status) ? 0 : count), 0)
    return [
      { label: 'guessed keys that were taken', ours: [taken], unit: '', goal: { atMost: 0 }, note },
      {
        label: 'beside guesses: a right key, p99',
        ours: [quantile(beside, 0.99)],
        unit: 'ms',
        goal: { atMost: 100 },
        note: `${beside.length} requests, one at a time`,
      },
      {
        label: 'transactions a guess',
        ours: [(cost - beside.length) / total],
        unit: '',
        goal: { atMost: 0.5 },
        note,
      },
    ]
  })
}

const isRefused = (status: number): boolean => status === 401 || status === 429

const counts = (statuses: ReadonlyMap<number, number>): string =>
  [...statuses].map(([status, count]) => `${count} of ${status}`).join(', ')

/** A right key asks all the while. */
async function askBeside({ ask }: ApiServer, times: number[], isOver: () => boolean): Promise<void> {
  while (!isOver()) times.push(await millisecondsOf(() => ask('GET', '/runs?limit=1')))
}

/** Keys of nobody; each third has the prefix of the right one, and the wrong secret. */
function guess({ url, headers }: ApiServer, agent: http.Agent, n: number): Promise<number> {
  const right = headers['authorization']!.slice('Bearer '.length)
  const prefix = n % 3 === 0 ? right.slice(0, 15) : `mr_${randomBytes(6).toString('hex')}`
  const authorization = `Bearer ${prefix}_${randomBytes(32).toString('base64url')}`
  return new Promise((resolve, reject) => {
    http
      .get(`${url}/runs?limit=1`, { agent, headers: { authorization } }, (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
        answer.on('error', reject)
      })
      .on('error', reject)
  })
}
