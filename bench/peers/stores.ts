// The stores that peers share: one Postgres and one Redis for all of them, and a place in each for one peer in one row.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { openServer } from '../database.ts'
import { Ending } from '../ending.ts'
import { removeFolder, temporaryFolder } from '../left-overs.ts'

const redisProgram = '/usr/bin/redis-server'
/** Redis has sixteen numbered stores unless told otherwise; the row before is over when its number comes again. */
const redisNumbers = 16
/** Where there is none: an address of nobody, since an empty one would be that of whatever Redis this machine runs. */
const noRedisUrl = 'redis://none.invalid'
/** Until it answers, at its start and whenever it is asked. */
const answersWithinMs = 10_000
const retryMs = 50

/** Peers on Redis take part where it is installed. */
export const isRedisInstalled = (): boolean => fs.existsSync(redisProgram)

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
  /** Empty, for a server of the peer's own. */
  readonly folder: string
  drop(): Promise<void>
}

/** They go at the close, or when a signal comes. */
export async function openStores(): Promise<Stores> {
  const ending = new Ending()
  try {
    return await openWith(ending)
  } catch (error) {
    await ending.run()
    throw error
  }
}

async function openWith(ending: Ending): Promise<Stores> {
  const folder = temporaryFolder('peers')
  ending.add(() => removeFolder(folder))
  // Counted in the first turn alone, which is not timed.
  const settings = {
    shared_preload_libraries: 'pg_stat_statements',
    'pg_stat_statements.track': 'none',
    'pg_stat_statements.max': '10000',
    // All peers stay connected, though only one of them works at a time.
    max_connections: '500',
  }
  const server = await openServer(settings, ending)
  const redis = isRedisInstalled() ? await startRedis(folder, ending) : undefined
  const postgres = new pg.Client(server.url)
  await postgres.connect()
  ending.add(() => postgres.end())
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
    makePlace: () => makePlace({ serverUrl: server.url, postgres, redis, folder }, places++),
    close: () => ending.run(),
  }
}

interface Whole {
  readonly serverUrl: string
  readonly postgres: pg.Client
  readonly redis: RedisServer | undefined
  readonly folder: string
}

async function makePlace({ serverUrl, postgres, redis, folder }: Whole, place: number): Promise<OpenPlace> {
  const number = place % redisNumbers
  if (redis !== undefined) await emptyRedis(redis.client, number)
  const database = `peers_${process.pid}_${place}`
  await postgres.query(`create database ${database}`)
  const url = new URL(serverUrl)
  url.pathname = database
  const own = path.join(folder, String(place))
  fs.mkdirSync(own)
  return {
    postgresUrl: url.href,
    redisUrl: redis === undefined ? noRedisUrl : `${redis.url}/${number}`,
    database,
    folder: own,
    drop: async () => {
      removeFolder(own)
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
}

/** As the documentation of BullMQ asks for it: an append-only file, written out each second, and nothing evicted. */
async function startRedis(folder: string, ending: Ending): Promise<RedisServer> {
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
  const retryStrategy = () => retryMs
  const client = new Redis(port, '127.0.0.1', {
    retryStrategy,
    maxRetriesPerRequest: answersWithinMs / retryMs,
  })
  client.on('error', () => {})
  ending.add(() => {
    client.disconnect()
    // What it has not written yet goes as well.
    return endChild(child)
  })
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
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
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
