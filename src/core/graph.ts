// Owns the graph of a pipeline: the form in which it is stored with each version, and the rules it must keep.
import { type Backoff, jitters } from './backoff.ts'
import { MillraceError } from './errors.ts'
import { batchFault, type NodeBatch, sealedPath } from './graph-batches.ts'
import { isUnlistable, type MapOutcome, type NodeOutcome, outcomeFault } from './graph-outcomes.ts'
import { checkFailureOptions, type RetryAllowance, type RetryRule, retryRuleFault } from './graph-retries.ts'
import { checkObjectives, type Objectives } from './objectives.ts'

interface Node extends NodeOutcome {
  readonly name: string
  /** The steps this one waits for; without any it begins with the run. */
  readonly after: readonly string[]
  readonly queue: string
  readonly tx: boolean
  /** Whether the pipeline holds a condition for it, which a worker must ask first. */
  readonly when: boolean
  readonly max_attempts: number
  readonly backoff: Backoff
  /** What differs for certain errors: the first that fits counts. */
  readonly retry_rules?: readonly RetryRule[]
  readonly timeout_ms: number
}

export interface StepNode extends Node {
  readonly kind: 'step'
  /** One call of its handler gets several tasks, of many runs. */
  readonly batch?: NodeBatch
}

interface MapNode extends Node, MapOutcome {
  readonly kind: 'map'
  /** The step whose list it runs over; always among `after`. */
  readonly over: string
  /** One call of its handler gets several items, of many runs. */
  readonly batch?: NodeBatch
}

/** The kinds of steps whose handler Millrace brings. */
const broughtKinds = ['sleep', 'signal', 'approval', 'call', 'http', 'sql'] as const
export type BroughtKind = (typeof broughtKinds)[number]

interface BroughtNode extends Node {
  readonly kind: BroughtKind
  /** What it is about: the pipeline that is called, the function of the database, the names of the signals, the time. */
  readonly target?: string
}

/** A step that undoes another one, where its run fails or is cancelled. */
interface UndoNode extends Node {
  readonly kind: 'undo'
  readonly undoes: string
}

/** A step that follows the outcome of its run. */
interface FinallyNode extends Node {
  readonly kind: 'finally'
  readonly follows: 'completed' | 'failed'
}

export type GraphNode = StepNode | MapNode | BroughtNode | UndoNode | FinallyNode

export type StepKind = GraphNode['kind']
export const stepKinds: readonly StepKind[] = ['step', 'map', ...broughtKinds, 'undo', 'finally']

/** Whether a step's handler comes from Millrace. */
export function isBrought(kind: StepKind): kind is BroughtKind {
  return (broughtKinds as readonly string[]).includes(kind)
}

/** Whether a step follows the outcome of its run, so that it comes after no other step, and none comes after it. */
export function isEnding(node: GraphNode): node is UndoNode | FinallyNode {
  return node.kind === 'undo' || node.kind === 'finally'
}

export interface Graph {
  /** In the order in which they were written. */
  readonly steps: readonly GraphNode[]
  /** Paths into the input, whose values together are the run key; none means that the pipeline has no run key. */
  readonly key: ReadonlyArray<readonly string[]>
  /** Ranges in which figures of its runs are expected to lie, by name; left out where there are none. */
  readonly objectives?: Objectives
  /** Its values are encrypted, but for those at these paths into the input; left out where they are not. */
  readonly encrypt?: { readonly clear: ReadonlyArray<readonly string[]> }
  readonly retry_allowance?: RetryAllowance
  /** How many runs in a row may fail before their run key, or the pipeline where it has none, is paused. */
  readonly pause_after?: number
  /** After how long a task that is ready and not begun counts as one level more urgent, and so on. */
  readonly ageing_ms?: number
}

export const graphStepsMax = 500
const attemptsMax = 1_000
/** 24 days: what a timer of Node can count, and a 32-bit column. */
const stepMsMax = 2_073_600_000
const backoffFactorMax = 100
const keyPathsMax = 10
const keySegmentsMax = 20
/** Of what stays in the clear: the run key's, and as many others. */
const clearPathsMax = 2 * keyPathsMax

const namePattern = /^[a-z][a-z0-9-]{0,62}$/

/** A function of the database as an `sql` step names it: its schema and its name, both as PostgreSQL writes them without quotes. */
const functionPattern = /^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$/

/** Whether a text may name a pipeline, a step or a queue. */
export function isName(text: unknown): text is string {
  return typeof text === 'string' && namePattern.test(text)
}

/**
 * Checks a whole graph, whoever made it.
 * @throws MillraceError for the first rule that it breaks: `steps_missing`, `steps_too_many`, `step_name_invalid`,
 * `step_name_taken`, `step_unknown`, `map_over_invalid`, `step_cycle`, `step_option_invalid`, `key_not_a_path`, `pipeline_option_invalid`
 */
export function checkGraph(pipeline: string, graph: Graph): void {
  const { steps, key } = graph
  if (steps.every(isEnding)) {
    throw new MillraceError('steps_missing', `The pipeline '${pipeline}' has no step.`, {
      fields: { pipeline },
    })
  }
  if (steps.length > graphStepsMax) throw tooMany(pipeline, steps.length)
  const names = new Set<string>()
  for (const step of steps) {
    checkNewName(pipeline, step.name, names)
    names.add(step.name)
  }
  for (const step of steps) checkNode(pipeline, step, names)
  checkFallbacks(pipeline, graph)
  checkEndings(pipeline, graph)
  topologicalOrder(pipeline, graph)
  checkKey(pipeline, key)
  checkObjectives(pipeline, graph.objectives ?? {})
  checkFailureOptions(pipeline, graph)
  checkEncryption(pipeline, graph)
}

/** What SQL would have to read of an encrypted value can't be promised. */
function checkEncryption(pipeline: string, { steps, encrypt, objectives = {} }: Graph): void {
  if (encrypt === undefined) return
  if (!isPathList(encrypt.clear, clearPathsMax))
    throw new MillraceError(
      'pipeline_option_invalid',
      `The encrypt of pipeline '${pipeline}' leaves ${encrypt.clear.length} paths into the input in the clear, with those of the run key: at most ${clearPathsMax} are allowed, each of 1 to ${keySegmentsMax} names.`,
      { fields: { pipeline, option: 'encrypt' } },
    )
  for (const step of steps) {
    const path = batchOf(step) && sealedPath(batchOf(step)!, encrypt.clear)
    if (path !== undefined)
      throw optionError(
        pipeline,
        step.name,
        'batch key',
        `${path.join('.')}, which is encrypted: name it in encrypt.clear`,
      )
  }
  const [name] = Object.entries(objectives).find(([, { output }]) => output !== undefined) ?? []
  if (name === undefined) return
  throw new MillraceError(
    'pipeline_option_invalid',
    `The pipeline '${pipeline}' is encrypted, so the output that its objective '${name}' is about can't be read: measure it with a metric.`,
    { fields: { pipeline, option: 'encrypt' } },
  )
}

/** The batch of a step; undefined where each of its tasks is a call of its handler. */
export function batchOf(step: GraphNode): NodeBatch | undefined {
  return step.kind === 'step' || step.kind === 'map' ? step.batch : undefined
}

/** Checks one step against the names it may refer to. */
export function checkNode(pipeline: string, step: GraphNode, names: ReadonlySet<string>): void {
  for (const name of step.after) if (!names.has(name)) throw unknownStep(pipeline, step.name, name, names)
  if (step.kind === 'map') checkOver(pipeline, step, names)
  else if (step.kind === 'sql') checkFunction(pipeline, step)
  checkOptions(pipeline, step)
  const fault = outcomeFault(step) ?? retryRuleFault(step.retry_rules ?? []) ?? batchFault(step)
  if (fault !== undefined) throw optionError(pipeline, step.name, fault.option, fault.found)
}

/** Checks that a name is one and that no step has it yet. */
export function checkNewName(pipeline: string, name: string, names: ReadonlySet<string>): void {
  if (!isName(name)) {
    throw new MillraceError(
      'step_name_invalid',
      `The pipeline '${pipeline}' has a step named ${quoted(name)}: a name is a small letter, then small letters, digits and hyphens, at most 63 in all.`,
      { fields: { pipeline, step: name } },
    )
  }
  if (!names.has(name)) return
  throw new MillraceError(
    'step_name_taken',
    `The pipeline '${pipeline}' has two steps named '${name}': rename one.`,
    {
      fields: { pipeline, step: name },
    },
  )
}

/**
 * The names of the steps, each after all that it waits for, otherwise as written.
 * @throws MillraceError `step_cycle`, naming the steps of the circle
 */
export function topologicalOrder(pipeline: string, graph: Graph): string[] {
  const left = new Map(graph.steps.map((step) => [step.name, new Set(step.after)]))
  const dependents = dependentsOf(graph)
  const order = graph.steps.filter((step) => step.after.length === 0).map((step) => step.name)
  // The list grows while it is walked: a step joins it when the last one that it waits for has.
  for (const name of order) {
    for (const dependent of dependents.get(name) ?? []) {
      const waits = left.get(dependent)
      if (waits?.delete(name) && waits.size === 0) order.push(dependent)
    }
  }
  if (order.length === graph.steps.length) return order
  throw cycleError(pipeline, graph, new Set(order))
}

/** For every step the names of those that wait for it directly. */
export function dependentsOf(graph: Graph): ReadonlyMap<string, readonly string[]> {
  const dependents = new Map<string, string[]>(graph.steps.map((step) => [step.name, []]))
  for (const step of graph.steps) {
    for (const name of new Set(step.after)) dependents.get(name)?.push(step.name)
  }
  return dependents
}

/** The names of all steps that come before one, directly or through others, in written order. */
export function ancestorsOf(graph: Graph, name: string): string[] {
  const afterByName = new Map(graph.steps.map((step) => [step.name, step.after]))
  const found = new Set<string>()
  const open = [...(afterByName.get(name) ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue
    found.add(next)
    open.push(...(afterByName.get(next) ?? []))
  }
  return graph.steps.flatMap((step) => (found.has(step.name) ? [step.name] : []))
}

/** The names of the steps that nobody waits for, in written order: their outputs are the run's. */
export function lastSteps(graph: Graph): string[] {
  const waitedFor = new Set(graph.steps.flatMap((step) => step.after))
  return graph.steps.flatMap((step) => (waitedFor.has(step.name) || isEnding(step) ? [] : [step.name]))
}

function checkOver(pipeline: string, step: MapNode, names: ReadonlySet<string>): void {
  if (names.has(step.over) && step.after.includes(step.over)) return
  const reason = names.has(step.over) ? 'which is not among its `after`' : 'which the pipeline does not have'
  throw new MillraceError(
    'map_over_invalid',
    `The map '${step.name}' of pipeline '${pipeline}' runs over ${quoted(step.over)}, ${reason}.`,
    { fields: { pipeline, step: step.name, over: step.over } },
  )
}

function checkEndings(pipeline: string, { steps }: Graph): void {
  const endings = steps.filter(isEnding)
  const followed = (node: UndoNode | FinallyNode) => (node.kind === 'undo' ? node.undoes : `$${node.follows}`)
  for (const [place, ending] of endings.entries()) {
    const refuse = (option: string, found: string): never => {
      throw optionError(pipeline, ending.name, option, found)
    }
    if (ending.after.length > 0)
      refuse('after', `${ending.after.join(', ')}, where it follows the outcome of the run`)
    if (ending.on_error !== undefined) refuse('onError', 'its own, where its failure changes nothing')
    if (ending.kind === 'undo' && !steps.some((step) => step.name === ending.undoes && !isEnding(step)))
      refuse('undoes', `${quoted(ending.undoes)}, which is none of the steps`)
    if (endings.slice(0, place).some((other) => followed(other) === followed(ending)))
      refuse(
        ending.kind === 'undo' ? 'undoes' : 'follows',
        `${quoted(followed(ending))}, which another step follows already`,
      )
    const later = steps.find((step) => step.after.includes(ending.name))
    if (later !== undefined)
      throw optionError(
        pipeline,
        later.name,
        'after',
        `${quoted(ending.name)}, which follows the outcome of the run`,
      )
  }
}

/** What takes the place of a list must be one. */
function checkFallbacks(pipeline: string, { steps }: Graph): void {
  for (const map of steps) {
    const source = map.kind === 'map' ? steps.find(({ name }) => name === map.over) : undefined
    if (source === undefined || !isUnlistable(source)) continue
    throw optionError(
      pipeline,
      source.name,
      'fallback',
      `no list, where the map '${map.name}' goes over it; at most 100,000 items`,
    )
  }
}

function checkFunction(pipeline: string, { name, tx, target }: BroughtNode): void {
  if (!tx) throw optionError(pipeline, name, 'tx', 'false, where an sql step is always one transaction')
  if (functionPattern.test(target ?? '')) return
  throw optionError(
    pipeline,
    name,
    'function',
    `${quoted(target)}, where it is a schema and a function: app.send_invoice`,
  )
}

type OptionKind = 'whole' | 'milliseconds' | 'number'

function checkOptions(pipeline: string, step: GraphNode): void {
  const { backoff } = step
  // By the names that authors write, who never see those of the stored graph.
  const within = (option: string, value: number, least: number, most: number, kind: OptionKind) => {
    const isWhole = kind === 'number' || Number.isInteger(value)
    if (value >= least && value <= most && isWhole) return
    const unit = kind === 'milliseconds' ? ' ms' : ''
    const found = `${value}${unit}, where it is ${kind === 'whole' ? 'a whole number ' : ''}from ${least} to ${most}${unit}`
    throw optionError(pipeline, step.name, option, found)
  }
  if (!isName(step.queue))
    throw optionError(pipeline, step.name, 'queue', `${quoted(step.queue)}, which is no name`)
  within('retry.attempts', step.max_attempts, 1, attemptsMax, 'whole')
  within('timeout', step.timeout_ms, 1, stepMsMax, 'milliseconds')
  within('retry.initial', backoff.initial_ms, 0, stepMsMax, 'milliseconds')
  within('retry.max', backoff.max_ms, backoff.initial_ms, stepMsMax, 'milliseconds')
  within('retry.factor', backoff.factor, 1, backoffFactorMax, 'number')
  if (!jitters.includes(backoff.jitter)) {
    throw optionError(
      pipeline,
      step.name,
      'retry.jitter',
      `${quoted(backoff.jitter)}, where it is one of ${jitters.join(', ')}`,
    )
  }
}

function isPathList(paths: Graph['key'], most: number): boolean {
  const isPath = (path: readonly string[]) =>
    path.length >= 1 &&
    path.length <= keySegmentsMax &&
    path.every((segment) => typeof segment === 'string' && segment !== '' && !segment.includes('\u0000'))
  return paths.length <= most && paths.every(isPath)
}

function checkKey(pipeline: string, key: Graph['key']): void {
  if (isPathList(key, keyPathsMax)) return
  throw new MillraceError(
    'key_not_a_path',
    `The key of pipeline '${pipeline}' is no list of at most ${keyPathsMax} paths into the input.`,
    { fields: { pipeline } },
  )
}

function tooMany(pipeline: string, count: number): MillraceError {
  return new MillraceError(
    'steps_too_many',
    `The pipeline '${pipeline}' has ${count} steps; ${graphStepsMax} are allowed.`,
    {
      fields: { pipeline, count, limit: graphStepsMax },
      hint: 'Turn steps that repeat into a map over a list.',
    },
  )
}

function unknownStep(
  pipeline: string,
  step: string,
  after: string,
  names: ReadonlySet<string>,
): MillraceError {
  const known = [...names].filter((name) => name !== step)
  return new MillraceError(
    'step_unknown',
    `The step '${step}' of pipeline '${pipeline}' comes after ${quoted(after)}, which is none of its steps${known.length > 0 ? `: ${known.join(', ')}` : ''}.`,
    { fields: { pipeline, step, after } },
  )
}

function optionError(pipeline: string, step: string, option: string, found: string): MillraceError {
  return new MillraceError(
    'step_option_invalid',
    `The step '${step}' of pipeline '${pipeline}' has a ${option} of ${found}.`,
    {
      fields: { pipeline, step, option },
    },
  )
}

/** Follows one `after` from step to step, among those that can't begin, until a name comes round again. */
function cycleError(pipeline: string, graph: Graph, free: ReadonlySet<string>): MillraceError {
  const blockedBy = new Map(
    graph.steps.map((step) => [step.name, step.after.find((name) => !free.has(name))]),
  )
  const path: string[] = []
  let name = graph.steps.find((step) => !free.has(step.name))?.name
  while (name !== undefined && !path.includes(name)) {
    path.push(name)
    name = blockedBy.get(name)
  }
  const circle = path.slice(path.indexOf(name ?? '')).reverse()
  return new MillraceError(
    'step_cycle',
    `The steps of pipeline '${pipeline}' wait for each other in a circle: ${[...circle, circle[0]].join(' → ')}.`,
    { fields: { pipeline, circle } },
  )
}

function quoted(name: unknown): string {
  return typeof name === 'string' ? `'${name.slice(0, 100)}'` : String(name)
}
