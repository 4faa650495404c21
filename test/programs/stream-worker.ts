// A worker process that writes into the stream of a run: its first attempt ends only with the process, a later one when the table `go` has a row.
// usage: node --import tsx test/programs/stream-worker.ts postgres://…
import { setTimeout as pause } from 'node:timers/promises'
import { pipeline } from '../../src/sdk/pipeline.ts'
import { startWorker } from '../../src/worker/worker.ts'

const parts = 60

const narrator = pipeline('narrator', { retry: { attempts: 5, initial: 0 } }).step(
  'tell',
  async ({ stream, attempt, sql, abort }) => {
    for (let n = 0; n < parts; n++) {
      const written = stream.write({ attempt, n })
      if (n % 7 === 0) await written
    }
    for (;;) {
      const gone = attempt > 1 ? await sql`select from public.go` : []
      if (gone.length > 0) return
      await pause(20, undefined, { signal: abort })
    }
  },
)

const worker = await startWorker({ database: process.argv[2] ?? '', pipelines: [narrator] })
console.log('ready')
await worker.stopped
