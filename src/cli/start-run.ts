// Owns how a command starts a run: with the pipeline's own schema and version where the configuration has it, else by its name.
import { randomBytes } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { createRunIds } from '../core/uuid.ts'
import type { Caller } from '../db/call.ts'
import { registerPipeline } from '../db/pipelines.ts'
import { startRuns } from '../db/runs.ts'
import type { PipelineDefinition } from '../sdk/pipeline.ts'
import { type Schema, type ValueProblem, validate } from '../sdk/standard-schema.ts'
import { pendingStart, type StartOptions } from '../sdk/start.ts'
import { exampleInput, startLine } from './example-input.ts'

export interface StartAnswer {
  readonly created: boolean
  /** Why there is no new run: its run key is live, or its idempotency key was used. */
  readonly reason: 'live' | 'repeated' | null
  readonly run_id: string
}

/**
 * @param input undefined where none was given
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
  const [answer] = await startRuns(caller, [start.row], { via: 'cli', wakeAlways: true }).catch(sayHowToFind)
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

/** Who types a name wants the list of names before anything else. */
function sayHowToFind(error: unknown): never {
  if (!(error instanceof MillraceError) || error.code !== 'pipeline_unknown') throw error
  throw new MillraceError(error.code, error.message, {
    hint: 'A worker that serves it registers it. List those that there are with: millrace pipeline list',
    cause: error,
  })
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
  if (typeof pipeline === 'string') return { slug: pipeline, version: null, input: input ?? null }
  const { slug, inputSchema, graph } = pipeline
  const checked = inputSchema === undefined ? input : await checkInput(slug, inputSchema, input)
  const { version } = await registerPipeline(caller, slug, graph)
  return { slug, version, input: checked ?? null }
}

/** What the schema makes of the input; of one that was not given, what it makes of nothing, of null or of {}, whichever it takes first. */
async function checkInput(slug: string, schema: Schema, input: unknown): Promise<unknown> {
  const what = { code: 'input_invalid', what: `The input of pipeline '${slug}'` } as const
  if (input !== undefined) return validate(schema, input, what)
  const refusals: MillraceError[] = []
  for (const stand of [undefined, null, {}]) {
    try {
      return await validate(schema, stand, what)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      refusals.push(error)
    }
  }
  throw inputMissing(slug, schema, refusals)
}

function inputMissing(slug: string, schema: Schema, refusals: readonly MillraceError[]): MillraceError {
  const problems = refusals.map(({ fields }) => fields['issues'] as readonly ValueProblem[])
  // An object is asked for where {} is refused for what is not in it.
  const missing = problems.at(-1)?.filter(({ path }) => path !== '') ?? []
  const told = missing.length > 0 ? missing : (problems[0] ?? [])
  const list = told.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new MillraceError(
    'input_invalid',
    `No input was given, and pipeline '${slug}' needs one: ${list}.`,
    {
      fields: { issues: told },
      hint: `Give it as JSON, as in: ${startLine(slug, exampleInput(schema))}`,
    },
  )
}
