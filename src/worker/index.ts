// What `millrace/worker` offers: a worker inside the caller's own process.
export type { WorkerState } from './heartbeats.ts'
export type { WorkerLogEntry, WorkerOptions } from './options.ts'
export { edgeWorker, type EdgeWorkerOptions, type ShiftReport } from './edge-worker.ts'
export { startWorker, type Worker } from './worker.ts'
export { MillraceError, PermanentError } from '../core/errors.ts'
export { RetryAfter } from '../core/retry-after.ts'
