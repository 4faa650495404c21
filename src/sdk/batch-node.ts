// Owns the batch of a step as the graph keeps it: read off the options under which an author wrote it.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { NodeBatch } from '../core/graph-batches.ts'
import { type KeyOption, keyPaths } from '../core/key-path.ts'
import { scopedPath } from './limit.ts'

/** The options as they are read. */
export interface WrittenBatch {
  readonly size?: number
  readonly within?: Duration
  readonly key?: KeyOption<never>
}

export const batchOptionNames = ['size', 'within', 'key'] as const

/** The batch that the graph keeps. @throws MillraceError duration_invalid, step_option_invalid, key_not_a_path */
export function nodeBatch(
  what: string,
  { size, within, key }: WrittenBatch,
  fields: { readonly pipeline: string; readonly step: string },
): NodeBatch {
  if (size === undefined || within === undefined)
    throw new MillraceError(
      'step_option_invalid',
      `The ${what} is a batch without a ${size === undefined ? 'size' : 'within'}.`,
      {
        fields: { ...fields, option: size === undefined ? 'size' : 'within' },
        hint: "Write both: { size: 100, within: '5s' }.",
      },
    )
  return {
    size,
    within_ms: durationMs(within, `The within of ${what}`),
    ...(key === undefined ? {} : { key: batchPaths(fields.pipeline, key) }),
  }
}

function batchPaths(pipeline: string, key: KeyOption<never>): string[][] {
  const paths = keyPaths(pipeline, key)
  if (typeof key !== 'function') return paths.map((path) => [...path])
  return paths.map((path) => {
    const scoped = scopedPath(path)
    if (scoped !== undefined) return [...scoped]
    throw new MillraceError(
      'key_not_a_path',
      `A batch of pipeline '${pipeline}' has a key that picks neither of the input, the item and the tenant.`,
      { fields: { pipeline } },
    )
  })
}
