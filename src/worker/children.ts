// Runs that a step calls: their starts, with what is passed down to them, and how they ended.
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import { grouped } from '../core/wording.ts'
import type { Caller } from '../db/call.ts'
import { registerPipeline } from '../db/pipelines.ts'
import { type ChildStart, readChildren } from '../db/waits.ts'
import type { CallOptions, CallOutcome } from '../sdk/durable.ts'
import { type Schema, validate } from '../sdk/standard-schema.ts'
import type { Startable, StartablePipeline, StartedRun } from '../sdk/startable.ts'
import { sealedInput, SealedRuns } from '../sdk/sealed-runs.ts'
import type { HeldTask } from './held-task.ts'
import { readSecrets } from './read-secrets.ts'

const callsMax = 10_000

interface EndedRun {
  readonly run: string
  readonly state: 'completed' | 'failed' | 'cancelled'
  readonly output?: unknown
  readonly error?: unknown
}

export class Children {
  readonly #caller: Caller
  readonly #registered = new Map<string, Promise<number>>()
  readonly #newId: () => string
  readonly #cipher: Cipher | undefined
  readonly #sealed: SealedRuns

  constructor(caller: Caller, newId: () => string, cipher?: Cipher) {
    this.#caller = caller
    this.#cipher = cipher
    this.#sealed = new SealedRuns(caller, cipher)
    this.#newId = newId
  }

  /** What the database is told of a call. @throws MillraceError input_invalid, json_invalid, graph_invalid */
  async waitFor(pipeline: Startable, input: unknown, options: CallOptions) {
    return {
      start: await this.#start(pipeline, input, options),
      ...(options.detached === true && { detached: true }),
    }
  }

  /** @throws MillraceError too_many_starts, and what waitFor throws */
  async waitForMany(
    { step }: HeldTask,
    pipeline: Startable,
    inputs: readonly unknown[],
    options: CallOptions,
  ) {
    if (inputs.length > callsMax) {
      throw new MillraceError(
        'too_many_starts',
        `Step '${step.name}' calls ${grouped(inputs.length)} runs in one durable.callMany; ${grouped(callsMax)} are the most: call them in several.`,
        { fields: { step: step.name, limit: callsMax } },
      )
    }
    const children: ChildStart[] = []
    for (const input of inputs) children.push(await this.#start(pipeline, input, options))
    return { children }
  }

  /** The output of a called run; its id, of a detached one. @throws MillraceError child_failed */
  async resultOf(stored: unknown, pipeline: Startable, detached: boolean): Promise<unknown> {
    const ended = stored as EndedRun
    if (detached) return { id: ended.run } satisfies StartedRun
    if (ended.state === 'completed') return (await this.#sealed.output(ended.run, ended.output)) ?? null
    throw childFailed({ ...ended, error: await this.#sealed.error(ended.run, ended.error) }, pipeline)
  }

  /** How each run of a callMany ended. */
  async resultsOf({ run, step, item }: HeldTask, name: string): Promise<CallOutcome[]> {
    const rows = await readChildren(this.#caller, { runId: run.id, step: step.name, item, name })
    const outputs = await this.#sealed.outputs(rows.map(({ run_id, output }) => ({ runId: run_id, output })))
    const errors = await Promise.all(rows.map(({ run_id, error }) => this.#sealed.error(run_id, error)))
    return rows.map(({ run_id, state }, index) =>
      state === 'completed'
        ? { state, run: run_id, output: outputs[index] }
        : {
            state: state === 'failed' ? 'failed' : 'cancelled',
            run: run_id,
            error: errors[index] as { code?: string; message?: string } | null,
          },
    )
  }

  async #start(pipeline: Startable, input: unknown, options: CallOptions): Promise<ChildStart> {
    const slug = typeof pipeline === 'string' ? pipeline : pipeline.slug
    const checked =
      typeof pipeline === 'string' ? input : await checkedInput(slug, pipeline.inputSchema, input)
    const { priority, tenant, headers } = options
    const id = this.#newId()
    const text = checkJson(checked ?? null, { what: `the input of pipeline '${slug}'` })
    const encrypt = typeof pipeline === 'string' ? undefined : pipeline.graph.encrypt
    return {
      id,
      slug,
      ...(typeof pipeline === 'string' ? {} : { version: await this.#versionOf(pipeline) }),
      input: JSON.parse(
        sealedInput(
          {
            id,
            slug,
            text: encrypt === undefined ? readSecrets.redactJson(text) : text,
            encrypt,
            options: {},
          },
          this.#cipher,
        ),
      ) as unknown,
      priority,
      tenant,
      headers,
    }
  }

  /** Once per process and version: a call uses the version of its own code, and registers it if nobody has. */
  #versionOf(pipeline: StartablePipeline): Promise<number> {
    const name = `${pipeline.slug} ${pipeline.digest}`
    const known = this.#registered.get(name)
    if (known !== undefined) return known
    const registering = registerPipeline(
      this.#caller,
      pipeline.slug,
      pipeline.graph,
      pipeline.startRules,
    ).then(({ version }) => version)
    this.#registered.set(name, registering)
    registering.catch(() => this.#registered.delete(name))
    return registering
  }
}

/** What the schema makes of an input; the input itself without one. @throws MillraceError input_invalid */
export async function checkedInput(
  slug: string,
  schema: Schema | undefined,
  input: unknown,
): Promise<unknown> {
  if (schema === undefined) return input ?? null
  return validate(schema, input, { code: 'input_invalid', what: `The input of pipeline '${slug}'` })
}

function childFailed({ run, state, error }: EndedRun, pipeline: Startable): MillraceError {
  const slug = typeof pipeline === 'string' ? pipeline : pipeline.slug
  const { message } = (error ?? {}) as { message?: string }
  const said = state === 'cancelled' ? 'was cancelled' : `failed: ${message ?? 'no reason was given'}`
  return new MillraceError('child_failed', `Run ${run} of '${slug}', which was called, ${said}`, {
    fields: { runId: run, state, error },
  })
}
