// Owns the objectives of a pipeline: ranges in which a metric, or a number of the output, is expected to lie.
import { MillraceError } from './errors.ts'
import { isMetricName } from './reports.ts'

/** As authors write it: of the metric of its name, or, with `output`, of the number at that path of the run's output. */
export interface Objective {
  readonly min?: number
  readonly max?: number
  /** As in 'report.rows'. */
  readonly output?: string
}

/** As it is stored with the version. */
interface ObjectiveNode {
  readonly min?: number
  readonly max?: number
  readonly output?: readonly string[]
}

export type Objectives = Readonly<Record<string, ObjectiveNode>>

const objectivesMax = 20
const pathMax = 20

/** The objectives as they are stored. @throws MillraceError pipeline_option_invalid */
export function objectiveNodes(pipeline: string, written: Readonly<Record<string, Objective>>): Objectives {
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    throw refusal(pipeline, 'that are no object')
  const nodes = Object.entries(written).map(
    ([name, objective]) => [name, objectiveNode(pipeline, name, objective)] as const,
  )
  return Object.fromEntries(nodes)
}

function objectiveNode(pipeline: string, name: string, objective: Objective): ObjectiveNode {
  const { min, max, output, ...others } = objective ?? {}
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw refusal(pipeline, `of which '${name}' has an option '${unknown}': it knows min, max and output`)
  if (output !== undefined && typeof output !== 'string')
    throw refusal(pipeline, `of which '${name}' has an output that is no path like report.rows`)
  return {
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(output !== undefined && { output: output.split('.') }),
  }
}

/** Checks objectives, whoever made them. @throws MillraceError pipeline_option_invalid */
export function checkObjectives(pipeline: string, objectives: Objectives): void {
  const entries = Object.entries(objectives)
  if (entries.length > objectivesMax)
    throw refusal(pipeline, `of which there are ${entries.length}; ${objectivesMax} are the most`)
  for (const [name, objective] of entries) {
    if (!isMetricName(name))
      throw refusal(
        pipeline,
        `of which one is named '${name.slice(0, 100)}': a name is a small letter, then small letters, digits and underlines`,
      )
    if (!hasRange(objective))
      throw refusal(pipeline, `of which '${name}' has no range: give min, max or both, as numbers`)
    if (!isPath(objective.output))
      throw refusal(pipeline, `of which '${name}' has an output that is no path like report.rows`)
  }
}

function hasRange({ min, max }: ObjectiveNode): boolean {
  if (min === undefined && max === undefined) return false
  return [min ?? 0, max ?? 0].every(Number.isFinite) && (min ?? -Infinity) <= (max ?? Infinity)
}

function isPath(path: readonly string[] | undefined): boolean {
  if (path === undefined) return true
  const isSegment = (segment: string) => segment.trim() !== '' && !segment.includes('\u0000')
  return path.length >= 1 && path.length <= pathMax && path.every(isSegment)
}

function refusal(pipeline: string, reason: string): MillraceError {
  return new MillraceError(
    'pipeline_option_invalid',
    `The pipeline '${pipeline}' has objectives ${reason}.`,
    {
      fields: { pipeline, option: 'objectives' },
    },
  )
}
