// Owns how a command starts a run: with the pipeline's own schema and version where the configuration has it, else by its name.
import { randomBytes } from 'node:crypto'
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import type { Graph } from '../core/graph.ts'
import { createRunIds } from '../core/uuid.ts'
import { dateWords } from '../core/wording.ts'
import type { Caller } from '../db/call.ts'
import { readActiveVersion, registerPipeline } from '../db/pipelines.ts'
import { passesAtOf, startRuns } from '../db/runs.ts'
import { conflictError } from '../sdk/conflict.ts'
import { pauseWords } from '../sdk/paused-starts.ts'
import type { PipelineDefinition } from '../sdk/pipeline-definition.ts'
import { SealedRuns } from '../sdk/sealed-runs.ts'
import { type ValueProblem, validate } from '../sdk/standard-schema.ts'
import { pendingStart, type StartOptions } from '../sdk/start.ts'
import { exampleInput, startLine } from './example-input.ts'

export interface StartAnswer {
  readonly created: boolean
  /** Why there is no new run: one of its key is live, its idempotency key was used, or it went into one that waits. */
  readonly reason: 'live' | 'repeated' | 'coalesced' | null
  /** The rule on starts that says so. */
  readonly rule: string | null
  readonly run_id: string
}

/**
 * @param input undefined where none was given
 * @throws MillraceError input_invalid, pipeline_unknown, pipeline_paused, start_limited, idempotency_conflict, key_value_missing
 */
export async function startRun(
  caller: Caller,
  pipeline: PipelineDefinition | string,
  input: unknown,
  options: StartOptions,
  cipher?: Cipher,
): Promise<StartAnswer> {
  const id = newRunId()
  const start = pendingStart({ id, ...(await toStart(caller, pipeline, input, cipher)) }, options, cipher)
  const [answer] = await startRuns(caller, [start.row], { via: 'cli', wakeAlways: true }).catch(sayHowToFind)
  if (answer === undefined) return { created: true, reason: null, rule: null, run_id: id }
  const slug = start.row.slug
  if (answer.reason === 'paused') {
    const [why = ''] = await pauseWords(caller, [start.row])
    const [sentence, remedy] = why.split('; resume it with: ')
    throw new MillraceError('pipeline_paused', `The start is refused: ${sentence}`, {
      fields: { pipeline: slug },
      hint: remedy === undefined ? undefined : `Resume it with: ${remedy}`,
    })
  }
  if (answer.reason === 'limit') {
    const [{ rule }, passesAt] = [answer, passesAtOf(answer)]
    const until = passesAt === null ? '' : ` until ${dateWords(passesAt.toISOString())} UTC`
    throw new MillraceError('start_limited', `Rule '${rule}' on starts of '${slug}' refuses it${until}.`, {
      fields: { pipeline: slug, rule, passesAt },
    })
  }
  if (answer.reason === 'conflict') {
    const { clearInput, row } = start
    const conflicting = { slug, idempotencyKey: row.idempotencyKey, clearInput }
    throw await conflictError(caller, new SealedRuns(caller, cipher), conflicting, answer.live_run_id)
  }
  return {
    created: false,
    reason: answer.reason as 'live',
    rule: answer.rule,
    run_id: answer.live_run_id ?? id,
  }
}

/** Who types a name wants the list of names before anything else. */
function sayHowToFind(error: unknown): never {
  if (!(error instanceof MillraceError) || error.code !== 'pipeline_unknown') throw error
  throw new MillraceError(error.code, error.message, {
    hint: 'A worker that serves it registers it. List those that there are with: npx millrace pipeline list',
    cause: error,
  })
}

const newRunId = createRunIds({ now: Date.now, random: (bytes) => randomBytes(bytes) })

interface ToStart {
  readonly slug: string
  /** null takes the active version. */
  readonly version: number | null
  readonly input: unknown
  readonly graph?: Graph
  readonly encrypt?: Graph['encrypt'] | null
}

async function toStart(
  caller: Caller,
  pipeline: PipelineDefinition | string,
  input: unknown,
  cipher: Cipher | undefined,
): Promise<ToStart> {
  if (typeof pipeline === 'string') {
    const active = cipher === undefined ? undefined : await readActiveVersion(caller, pipeline)
    return { slug: pipeline, version: null, input: input ?? null, ...active }
  }
  const { slug, graph, startRules } = pipeline
  const checked = await checkInput(pipeline, input, (example) => startLine(slug, example))
  const { version } = await registerPipeline(caller, slug, graph, startRules)
  return { slug, version, input: checked ?? null, graph }
}

/**
 * What the schema of a pipeline makes of the input; of one that was not given, what it makes of nothing, of null or of {}, whichever it takes first.
 * `asIn` is how the command at hand is given an example.
 *
 * @throws MillraceError input_invalid
 */
export async function checkInput(
  { slug, inputSchema: schema }: PipelineDefinition,
  input: unknown,
  asIn: (example: string) => string,
): Promise<unknown> {
  if (schema === undefined) return input
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
  throw inputMissing(slug, refusals, asIn(exampleInput(schema)))
}

function inputMissing(slug: string, refusals: readonly MillraceError[], example: string): MillraceError {
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
      hint: `Give it as JSON, as in: ${example}`,
    },
  )
}
