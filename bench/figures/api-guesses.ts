// A million guesses of keys (fault J6): none is taken, and whoever has a key hardly notices.
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import type pg from 'pg'
import { type ApiServer, withApiServer } from '../api-server.ts'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { commits } from './api.ts'
import { everyRound, inFlight, millisecondsOf, quantile } from '../measure.ts'

const connections = 64

export const apiGuesses: Figure = {
  name: 'api-guesses',
  measure: (bench) => bench.withDatabase((database) => measureGuesses(bench, database)),
}

/** A share of all of them a round. */
async function measureGuesses(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  return withApiServer({ database: url, connections: 1 }, async (server) => {
    const each = Math.ceil(bench.size(1_000_000) / bench.rounds)
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
    const rounds = await everyRound(bench.rounds, () => guessMany({ server, agent, pool }, each))
    agent.destroy()
    const seconds = Math.round(sum(rounds.map(({ ms }) => ms)) / 1_000)
    const statuses = addUp(rounds.map((round) => round.statuses))
    const note = `${(each * bench.rounds).toLocaleString('en')} guesses in ${seconds} s, ${connections} connections of one address; ${counts(statuses)}`
    return [
      {
        label: 'guessed keys that were taken',
        ours: rounds.map((round) => taken(round.statuses)),
        unit: '',
        goal: { atMost: 0 },
        note,
      },
      {
        label: 'beside guesses: a right key, p99',
        ours: rounds.map(({ beside }) => quantile(beside, 0.99)),
        unit: 'ms',
        goal: { atMost: 100 },
        note: `${sum(rounds.map(({ beside }) => beside.length))} requests, one at a time`,
      },
      {
        label: 'transactions a guess',
        ours: rounds.map(({ cost }) => cost / each),
        unit: '',
        goal: { atMost: 0.5 },
        note,
      },
    ]
  })
}

interface Guesses {
  readonly ms: number
  readonly statuses: ReadonlyMap<number, number>
  /** How long each request of the right key took meanwhile. */
  readonly beside: readonly number[]
  /** Transactions, without those of the right key. */
  readonly cost: number
}

interface Attack {
  readonly server: ApiServer
  readonly agent: http.Agent
  readonly pool: pg.Pool
}

async function guessMany({ server, agent, pool }: Attack, count: number): Promise<Guesses> {
  const statuses = new Map<number, number>()
  const beside: number[] = []
  let isOver = false
  const asking = askBeside(server, beside, () => isOver)
  const before = await commits(pool)
  const ms = await millisecondsOf(() =>
    inFlight(connections, count, async (n) => {
      const status = await guess(server, agent, n)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }),
  )
  const cost = (await commits(pool)) - before
  isOver = true
  await asking
  return { ms, statuses, beside, cost: cost - beside.length }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function addUp(rounds: readonly ReadonlyMap<number, number>[]): ReadonlyMap<number, number> {
  const all = new Map<number, number>()
  for (const [status, count] of rounds.flatMap((round) => [...round]))
    all.set(status, (all.get(status) ?? 0) + count)
  return all
}

const taken = (statuses: ReadonlyMap<number, number>): number =>
  sum([...statuses].map(([status, count]) => (isRefused(status) ? 0 : count)))

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
