// A worker process of the proof of limits: it says when it claims, and works until it is killed.
// usage: node --import tsx test/programs/limited-worker.ts '{"database": "postgres://…", "slots": 100}'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { limited, limitedAlone } from '../limited.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as Omit<WorkerOptions, 'pipelines'>

await startWorker({ ...options, pipelines: [limited, limitedAlone], log: () => {} })
process.send?.('ready')
process.on('disconnect', () => process.exit(0))
