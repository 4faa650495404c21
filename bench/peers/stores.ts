// The stores that peers share: one Postgres and one Redis for all of them, and a place in each for one peer in one row.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import { openServer } from '../database.ts'

const redisProgram = '/usr/bin/redis-server'
/** Redis has sixteen numbered stores unless told otherwise; the row before is over when its number comes again. */
const redisNumbers = 16

export interface Stores {
  readonly description: string
  /** The process of the Postgres server, or nothing where it is a server of somebody else. */
  readonly postgresProcess: number | undefined
  readonly redisProcess: number | undefined
  /** To the database from which others are made, with the rights to read statistics. */
  readonly postgres: pg.Client
  makePlace(): Promise<OpenPlace>
  close(): Promise<void>
}

export interface OpenPlace {
  readonly postgresUrl: string
  readonly redisUrl: string
  readonly database: string
  drop(): Promise<void>
}

export async function openStores(): Promise<Stores> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-peers-'))
  // Counted in the first turn alone, which is not timed.
  const server = await openServer({
    shared_preload_libraries: 'pg_stat_statements',
    'pg_stat_statements.track': 'none',
    'pg_stat_statements.max': '10000',
    // All peers stay connected, though only one of them works at a time.
    max_connections: '500',
  })
  const redis = fs.existsSync(redisProgram) ? await startRedis(folder) : undefined
  const postgres = new pg.Client(server.url)
  await postgres.connect()
  await postgres.query('create extension if not exists pg_stat_statements')
  const { rows } = await postgres.query<{ folder: string }>(
    `select current_setting('data_directory') as folder`,
  )
  let places = 0
  return {
    description: [server.description, redis === undefined ? 'no Redis' : redis.description].join('; '),
    postgresProcess: processOf(rows[0]?.folder ?? ''),
    redisProcess: redis?.child.pid,
    postgres,
    makePlace: () => makePlace(server.url, postgres, redis, places++),
    close: async () => {
      await postgres.end()
      await redis?.stop()
      await server.close()
      fs.rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function makePlace(
  serverUrl: string,
  postgres: pg.Client,
  redis: RedisServer | undefined,
  place: number,
): Promise<OpenPlace> {
  const database = `peers_${process.pid}_${place}`
  await postgres.query(`create database ${database}`)
  const url = new URL(serverUrl)
  url.pathname = database
  const number = place % redisNumbers
  if (redis !== undefined) await emptyRedis(redis.client, number)
  return {
    postgresUrl: url.href,
    redisUrl: redis === undefined ? '' : `${redis.url}/${number}`,
    database,
    drop: async () => {
      await postgres.query(`drop database if exists ${database} with (force)`)
      if (redis !== undefined) await emptyRedis(redis.client, number)
    },
  }
}

async function emptyRedis(client: Redis, number: number): Promise<void> {
  await client.select(number)
  await client.flushdb()
}

/** The first line of the file that a Postgres server keeps in its folder. */
function processOf(folder: string): number | undefined {
  const file = path.join(folder, 'postmaster.pid')
  try {
    return Number(fs.readFileSync(file, 'utf8').split('\n')[0])
  } catch {
    // It runs on another machine.
    return undefined
  }
}

interface RedisServer {
  readonly child: ChildProcess
  readonly client: Redis
  readonly url: string
  readonly description: string
  stop(): Promise<void>
}

/** As the documentation of BullMQ asks for it: an append-only file, written out each second, and nothing evicted. */
async function startRedis(folder: string): Promise<RedisServer> {
  const port = await freePort()
  const settings = [
    '--appendonly',
    'yes',
    '--appendfsync',
    'everysec',
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ]
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
  const child = spawn(redisProgram, [...place, ...settings], { stdio: 'ignore' })
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => {})
  await Promise.race([
    client.ping(),
    once(child, 'exit').then(() =>
      Promise.reject(new Error('Redis ended at once; start it by hand to see why.')),
    ),
  ])
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? '?'
  return {
    child,
    client,
    url: `redis://127.0.0.1:${port}`,
    description: `Redis ${version}, appendonly yes, appendfsync everysec`,
    stop: async () => {
      await client.quit()
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await Promise.race([ended, pause(5_000).then(() => child.kill('SIGKILL'))])
    },
  }
}

/** A port that nobody listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}
