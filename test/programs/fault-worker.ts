// A worker process of the fault tests: serves their pipelines and prints a JSON line for whatever happens. SIGTERM stops it, a second
// one by force.
// usage: node --import tsx test/programs/fault-worker.ts '{"database": "postgres://…", "leaseSeconds": 3}'
import { writeSync } from 'node:fs'
import { startWorker, type Worker } from '../../src/worker/worker.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { load, holdPipelines } from '../faults/pipelines.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as Omit<WorkerOptions, 'pipelines'>

/** At once, with the time: a line of a process that is killed next must not be lost in a buffer. */
function tell(line: Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify({ ...line, at: Date.now() })}\n`)
}

const running: { worker?: Worker } = {}
let asked = 0
process.on('SIGTERM', () => {
  asked++
  tell({ kind: 'stopping', asked })
  if (running.worker === undefined) process.exit(0)
  void running.worker.stop({ force: asked > 1 })
})

const worker = await startWorker({
  ...options,
  pipelines: [...load.map(({ pipeline }) => pipeline), ...Object.values(holdPipelines(tell))],
  log: ({ level, message }) => tell({ kind: 'log', level, message }),
})
running.worker = worker
tell({ kind: 'ready', worker: worker.id })
await worker.stopped
tell({ kind: 'stopped' })
process.exit(0)
