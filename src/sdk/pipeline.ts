// Owns pipeline(): with which an author begins to write one.
import { durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { isName } from '../core/graph.ts'
import { keyPaths } from '../core/key-path.ts'
import { objectiveNodes } from '../core/objectives.ts'
import { BuiltPipeline } from './built-pipeline.ts'
import { callbacksOf } from './callback.ts'
import { rulesOf } from './limits.ts'
import {
  checkOptions,
  encryptionOf,
  type GivenInput,
  type PipelineOptions,
  type ReadInput,
} from './pipeline-options.ts'
import type { Pipeline } from './pipeline-type.ts'
import { retryAllowance } from './retry-policy.ts'
import type { Schema } from './standard-schema.ts'
import { type StartRuleOptions, startRulesOf } from './start-rules.ts'
import type { NoSteps } from './step-types.ts'

/**
 * Begins a pipeline; its steps follow with .step() and .map().
 * @throws MillraceError `pipeline_name_invalid`, `key_not_a_path`, `callback_invalid`, and `step_…` from the calls that follow
 */
export function pipeline<const Slug extends string, InputSchema extends Schema | undefined = undefined>(
  slug: Slug,
  options: PipelineOptions<InputSchema> = {},
): Pipeline<Slug, GivenInput<InputSchema>, ReadInput<InputSchema>, NoSteps, never, never> {
  if (!isName(slug)) {
    throw new MillraceError(
      'pipeline_name_invalid',
      `'${String(slug).slice(0, 100)}' names no pipeline: a name is a small letter, then small letters, digits and hyphens, at most 63 in all.`,
      { fields: { pipeline: slug } },
    )
  }
  checkOptions(slug, options)
  const {
    input,
    key,
    objectives,
    encrypt,
    limits,
    retryAllowance: allowance,
    pauseAfter,
    ageing,
    callback,
    debounce,
    throttle,
    latest,
    waiting,
    ...shared
  } = options
  const paths = keyPaths(slug, key)
  const sealing = encryptionOf(slug, encrypt as boolean, paths)
  const built = new BuiltPipeline({
    slug,
    shared,
    key: paths,
    encrypt: sealing,
    startRules: startRulesOf(slug, { debounce, throttle, latest, waiting } as StartRuleOptions<never>, {
      key: paths,
      encrypt: sealing,
    }),
    objectives: objectives && objectiveNodes(slug, objectives),
    failure: {
      ...(allowance !== undefined && { retry_allowance: retryAllowance(allowance, slug) }),
      ...(pauseAfter !== undefined && { pause_after: pauseAfter }),
      ...(ageing !== undefined && { ageing_ms: durationMs(ageing, `The ageing of pipeline '${slug}'`) }),
    },
    inputSchema: input,
    nodes: [],
    handlers: new Map(),
    callbacks: callbacksOf(`Pipeline '${slug}'`, callback),
    limits: rulesOf(`pipeline '${slug}'`, limits).map((rule) => ({ rule, step: null })),
  })
  // The class keeps at run time what the interface says to the compiler; $input and $output are there for it alone.
  return built as unknown as ReturnType<typeof pipeline<Slug, InputSchema>>
}
