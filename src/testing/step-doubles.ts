// The pipelines as a test engine serves them: each handler can be replaced, and something can be made to happen when it ends.
import { MillraceError } from '../core/errors.ts'
import type { HandlerContext } from '../sdk/context.ts'
import type { PipelineDefinition, StepHandler } from '../sdk/pipeline-definition.ts'

/** What stands in for a handler: given the same context, it returns or throws what the step is to give. It may call the step's own handler. */
export type Double = (context: HandlerContext, own: (context: HandlerContext) => unknown) => unknown

export interface Mock {
  /** The attempts at the step since then, in order. */
  readonly calls: readonly StepCall[]
  /** The step's own handler runs again. */
  restore(): void
}

/** One attempt at a step; of a batch, one each. */
export interface StepCall {
  readonly pipeline: string
  readonly step: string
  readonly runId: string
  readonly attempt: number
  readonly input: unknown
  /** Of a map. */
  readonly item?: unknown
  readonly index?: number
}

interface ArmedDouble {
  readonly double: Double
  readonly calls: StepCall[]
}

export class StepDoubles {
  readonly pipelines: readonly PipelineDefinition[]
  readonly #doubles = new Map<string, ArmedDouble>()

  /** @param ended called when a handler has ended, before its outcome is reported, with the attempts of which one will be */
  constructor(
    pipelines: readonly PipelineDefinition[],
    ended: (calls: readonly StepCall[]) => Promise<void>,
  ) {
    this.pipelines = pipelines.map((pipeline) =>
      withHandlers(pipeline, (step, handler) => async (context) => {
        const armed = this.#doubles.get(nameOf(pipeline.slug, step))
        const contexts = context.items ?? [context]
        const calls = contexts.map((one) => callOf(pipeline.slug, step, one))
        armed?.calls.push(...calls)
        try {
          return await (armed === undefined ? handler(context) : armed.double(context, handler))
        } finally {
          // What a dead worker left running is nobody's attempt any more.
          await ended(calls.filter((_call, at) => !contexts[at]!.abort.aborted))
        }
      }),
    )
  }

  /** @throws MillraceError pipeline_unknown, step_unknown */
  mock(pipeline: PipelineDefinition | string, step: string, double: Double): Mock {
    const slug = typeof pipeline === 'string' ? pipeline : pipeline.slug
    this.#check(slug, step)
    const armed: ArmedDouble = { double, calls: [] }
    const name = nameOf(slug, step)
    this.#doubles.set(name, armed)
    return {
      calls: armed.calls,
      restore: () => {
        if (this.#doubles.get(name) === armed) this.#doubles.delete(name)
      },
    }
  }

  /** @throws MillraceError step_unknown for a step that none of the pipelines has */
  checkStep(step: string): void {
    if (this.pipelines.some(({ handlers }) => handlers.has(step))) return
    throw unknownStep(step, `None of the pipelines of this test has a step '${step}'.`)
  }

  #check(slug: string, step: string): void {
    const pipeline = this.pipelines.find((one) => one.slug === slug)
    if (pipeline === undefined) {
      const served = this.pipelines.map((one) => `'${one.slug}'`).join(', ')
      throw new MillraceError(
        'pipeline_unknown',
        `This test engine has no pipeline '${slug}': it has ${served || 'none'}.`,
        { fields: { pipeline: slug } },
      )
    }
    if (pipeline.handlers.has(step)) return
    const known = [...pipeline.handlers.keys()].join(', ')
    throw unknownStep(step, `The pipeline '${slug}' has no step '${step}': it has ${known}.`)
  }
}

function unknownStep(step: string, message: string): MillraceError {
  return new MillraceError('step_unknown', message, { fields: { step } })
}

function nameOf(slug: string, step: string): string {
  return `${slug} ${step}`
}

/** The same pipeline with other handlers: its graph, and so its version, is what it was. */
function withHandlers(
  pipeline: PipelineDefinition,
  change: (step: string, handler: StepHandler['handler']) => StepHandler['handler'],
): PipelineDefinition {
  const handlers = new Map(
    // What stands in for a handler may read what the handler does not.
    [...pipeline.handlers].map(([name, step]) => [
      name,
      { ...step, handler: change(name, step.handler), readsSteps: true },
    ]),
  )
  return new Proxy(pipeline, {
    get: (target, name) => (name === 'handlers' ? handlers : Reflect.get(target, name)),
  })
}

function callOf(pipeline: string, step: string, context: HandlerContext): StepCall {
  const { run, attempt, input } = context
  const call = { pipeline, step, runId: run.id, attempt, input }
  return context.index === undefined ? call : { ...call, item: context.item, index: context.index }
}
