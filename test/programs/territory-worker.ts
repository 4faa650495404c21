// A program that is a worker of the example: it serves the territory sweep until it gets SIGTERM, or dies.
// usage: node --import tsx test/programs/territory-worker.ts <address of the database>
import { territorySweep } from '../../examples/territory-sweep/territory-sweep.ts'
import { startWorker } from '../../src/worker/index.ts'

const worker = await startWorker({
  database: process.argv[2] ?? '',
  pipelines: [territorySweep],
  slots: 10,
  leaseSeconds: 3,
  heartbeatMs: 100,
})
process.on('SIGTERM', () => void worker.stop())
