// The built product, as a user's process loads it: measured is what ships, typed by its source.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type * as Call from '../src/db/call.ts'
import type * as Connection from '../src/db/connection.ts'
import type * as Migrate from '../src/db/migrate.ts'
import type * as Pipelines from '../src/db/pipelines.ts'
import type * as Runs from '../src/db/runs.ts'
import type * as Tasks from '../src/db/tasks.ts'
import type * as Watches from '../src/db/watches.ts'
import type * as Workers from '../src/db/workers.ts'
import type * as Uuid from '../src/core/uuid.ts'
import type * as Embedded from '../src/embedded/server.ts'
import type * as Sdk from '../src/sdk/index.ts'
import type * as WorkerRoom from '../src/worker/index.ts'
import type * as Lanes from '../src/worker/lanes.ts'
import { productModule } from './product-folder.mjs'

export type { Client, PipelineDefinition } from '../src/sdk/index.ts'
export type { Worker } from '../src/worker/index.ts'

// By an address that the compiler does not follow: the types need no build, and no second copy is loaded from src. What an older revision has not
// got is missing where a figure calls it.
const load = async (path: string): Promise<unknown> =>
  existsSync(fileURLToPath(productModule(path))) ? import(productModule(path)) : {}

export const { connect, pipeline, watch } = (await load('sdk/index.js')) as typeof Sdk
export const { startWorker } = (await load('worker/index.js')) as typeof WorkerRoom
export const { startEmbeddedPostgres } = (await load('embedded/server.js')) as typeof Embedded
export const { migrate } = (await load('db/migrate.js')) as typeof Migrate

// The calls below the worker, for figures about one call.
export const { createPool } = (await load('db/connection.js')) as typeof Connection
export const { poolCaller } = (await load('db/call.js')) as typeof Call
export const { registerPipeline } = (await load('db/pipelines.js')) as typeof Pipelines
export const { startRuns } = (await load('db/runs.js')) as typeof Runs
export const { claimTasks, completeTasks, failTasks } = (await load('db/tasks.js')) as typeof Tasks
export const { applyWatch, planWatches } = (await load('db/watches.js')) as typeof Watches
export const { registerWorker } = (await load('db/workers.js')) as typeof Workers
export const { LanePositions } = (await load('worker/lanes.js')) as typeof Lanes
export const { createRunIds } = (await load('core/uuid.js')) as typeof Uuid
