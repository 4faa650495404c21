// Owns a run that waits, as tests of what wakes it have it: a worker has parked its step.
import type { Startable } from '../src/sdk/startable.ts'
import type { PipelineDefinition } from '../src/sdk/pipeline-definition.ts'
import type { TestDatabase } from './database.ts'
import { until } from './deadline.ts'
import type { Opened } from './millrace.ts'
import { runOf } from './protocol.ts'

/** Starts a run of a pipeline, and answers with its id once it waits. */
export async function startWaiting(
  database: TestDatabase,
  opened: Opened,
  pipeline: Startable & PipelineDefinition,
): Promise<string> {
  await opened.worker({ pipelines: [pipeline] })
  const { run } = await opened.client().start(pipeline, null as never)
  if (run === null) throw new Error('no run was started')
  await until('it waits', async () => (await runOf(database, run.id)).state === 'waiting')
  return run.id
}
