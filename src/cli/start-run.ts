// Owns how a command starts a run: with the pipeline's own schema and version where the configuration has it, else by its name.
import { randomBytes } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { createRunIds } from '../core/uuid.ts'
import type { Caller } from '../db/call.ts'
import { registerPipeline } from '../db/pipelines.ts'
import { startRuns } from '../db/runs.ts'
import type { PipelineDefinition } from '../sdk/pipeline.ts'
import { validate } from '../sdk/standard-schema.ts'
import { pendingStart, type StartOptions } from '../sdk/start.ts'

export interface StartAnswer {
  readonly created: boolean
  /** Why there is no new run: its run key is live, or its idempotency key was used. */
  readonly reason: 'live' | 'repeated' | null
  readonly run_id: string
}

/**
 * @throws MillraceError input_invalid, pipeline_unknown, pipeline_paused, idempotency_conflict, key_value_missing
 */
export async function startRun(
  caller: Caller,
  pipeline: PipelineDefinition | string,
  input: unknown,
  options: StartOptions,
): Promise<StartAnswer> {
  const id = newRunId()
  const start = pendingStart({ id, ...(await toStart(caller, pipeline, input)) }, options)
  const [answer] = await startRuns(caller, [start.row], { via: 'cli', wakeAlways: true })
  if (answer === undefined) return { created: true, reason: null, run_id: id }
  const slug = start.row.slug
  if (answer.reason === 'paused') {
    throw new MillraceError('pipeline_paused', `The pipeline '${slug}' is paused and takes no starts.`, {
      fields: { pipeline: slug },
      hint: `Resume it with: millrace pipeline resume ${slug}`,
    })
  }
  if (answer.reason === 'conflict') {
    throw new MillraceError(
      'idempotency_conflict',
      `Idempotency key '${options.idempotencyKey}' of pipeline '${slug}' was used with another input, by run ${answer.live_run_id}.`,
      { fields: { runId: answer.live_run_id }, hint: 'Use another key, or send the same input again.' },
    )
  }
  return {
    created: false,
    reason: answer.reason === 'live' ? 'live' : 'repeated',
    run_id: answer.live_run_id ?? id,
  }
}

const newRunId = createRunIds({ now: Date.now, random: (bytes) => randomBytes(bytes) })

interface ToStart {
  readonly slug: string
  /** null takes the active version. */
  readonly version: number | null
  readonly input: unknown
}

async function toStart(
  caller: Caller,
  pipeline: PipelineDefinition | string,
  input: unknown,
): Promise<ToStart> {
  if (typeof pipeline === 'string') return { slug: pipeline, version: null, input }
  const { slug, inputSchema, graph } = pipeline
  const what = { code: 'input_invalid', what: `The input of pipeline '${slug}'` } as const
  const checked = inputSchema === undefined ? input : await validate(inputSchema, input, what)
  const { version } = await registerPipeline(caller, slug, graph)
  return { slug, version, input: checked }
}
