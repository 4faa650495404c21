// A server of the API in a process of its own, as `millrace start` runs it, with a key that may do what is measured: tells its parent the port and
// the key, and, asked, the bytes that it holds. BENCH_LISTENER: the JSON of {database}.
import { productModule } from './product-folder.mjs'

const { poolCaller } = await import(productModule('db/call.js'))
const { createPool } = await import(productModule('db/connection.js'))
const { ApiKeys } = await import(productModule('sdk/api-keys.js'))
const { listen } = await import(productModule('server/listen.js'))
const { openServer } = await import(productModule('server/server.js'))

const { database } = JSON.parse(process.env.BENCH_LISTENER)

const pool = createPool({ connectionString: database, connectionsMax: 1 })
const keys = new ApiKeys(async () => poolCaller(pool, { prepare: false, database: 'bench' }))
const { key } = await keys.create({
  name: 'bench',
  role: 'operator',
  payloads: true,
  requestsPerHour: 1_000_000,
})
await pool.end()

const server = await openServer({ database, pipelines: [], streamsPerActorMax: 5_000 })
const listener = await listen(server.fetch, { port: 0 })
process.send({ port: listener.port, key })

process.on('message', () => {
  globalThis.gc?.()
  process.send({ bytes: process.memoryUsage().rss })
})
process.once('disconnect', () => process.exit(1))
process.once('SIGTERM', () => void close().then(() => process.exit(0)))

async function close() {
  server.drain()
  await listener.close()
  await server.close()
}
