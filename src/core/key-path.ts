// Owns the run key as authors write it: a path into the input, a list of paths, or a function that only picks them.
import { MillraceError } from './errors.ts'

type KeyFunction<Input> = (input: Input) => unknown

/** 'customer.id', a list of such paths, or a function like ({ customer }) => [customer.id, customer.region]. */
export type KeyOption<Input> = string | readonly string[] | KeyFunction<Input>

type Path = readonly string[]

/**
 * The paths that a key names. A function is never run against an input: it is read off once, here, so that SQL,
 * schedules and executors outside compute the same key.
 * @throws MillraceError `key_not_a_path` when the key is anything but a path or a list of paths
 */
export function keyPaths(pipeline: string, key: KeyOption<never> | undefined): Path[] {
  if (key === undefined) return []
  if (typeof key === 'function') return recordedPaths(pipeline, key as KeyFunction<unknown>)
  const texts = typeof key === 'string' ? [key] : key
  if (!Array.isArray(texts) || texts.length === 0)
    throw refusal(pipeline, 'it is no path and no list of paths')
  return texts.map((text) => parsePath(pipeline, text))
}

function parsePath(pipeline: string, text: unknown): Path {
  const path = typeof text === 'string' ? text.split('.') : []
  if (path.length > 0 && path.every((segment) => segment.trim() !== '')) return path
  throw refusal(pipeline, `${JSON.stringify(text)} is no path like customer.id`)
}

function recordedPaths(pipeline: string, key: KeyFunction<unknown>): Path[] {
  const recording = record(pipeline, key)
  const { result } = recording
  const results: readonly unknown[] = Array.isArray(result) ? result : [result]
  const paths = results.map((value) => recording.pathOf(value))
  if (paths.length === 0) throw refusal(pipeline, 'it returns an empty list')
  if (!paths.every((path) => path !== undefined))
    throw refusal(pipeline, 'it returns something else than a path')
  if (paths.some((path) => path.length === 0)) throw refusal(pipeline, 'it returns the whole input')
  checkReads(pipeline, recording.reads, paths)
  checkAnswers(pipeline, key, paths, Array.isArray(result))
  return paths
}

interface Recording {
  readonly result: unknown
  /** Every path that the function read, each step of the way. */
  readonly reads: readonly Path[]
  readonly pathOf: (value: unknown) => Path | undefined
}

function record(pipeline: string, key: KeyFunction<unknown>): Recording {
  const pathByProxy = new WeakMap<object, Path>()
  const reads: Path[] = []
  const proxyAt = (path: Path): object => {
    const proxy = new Proxy(() => undefined, {
      ...refusingTraps(pipeline),
      get(_, name) {
        if (typeof name === 'symbol')
          throw refusal(pipeline, `it computes with ${path.join('.') || 'the input'}`)
        reads.push([...path, name])
        return proxyAt([...path, name])
      },
    })
    pathByProxy.set(proxy, path)
    return proxy
  }
  const result = run(pipeline, () => key(proxyAt([])))
  const pathOf = (value: unknown) => (typeof value === 'function' ? pathByProxy.get(value) : undefined)
  return { result, reads, pathOf }
}

function run(pipeline: string, call: () => unknown): unknown {
  try {
    const result = call()
    // An async function's promise rejects by touching the proxy; nobody else would take note of it.
    if (typeof result === 'object' && result instanceof Promise) result.catch(() => undefined)
    return result
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    throw refusal(pipeline, `it throws: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** Every way to touch a value other than to read a property of it. */
function refusingTraps(pipeline: string): ProxyHandler<() => undefined> {
  const refusing = (reason: string) => () => {
    throw refusal(pipeline, reason)
  }
  return {
    apply: refusing('it calls a function'),
    construct: refusing('it calls a constructor'),
    has: refusing('it asks whether a property is there'),
    ownKeys: refusing('it spreads the input, or lists its properties'),
    getOwnPropertyDescriptor: refusing('it looks into the input'),
    getPrototypeOf: refusing('it asks for a class'),
    set: refusing('it writes into the input'),
    defineProperty: refusing('it writes into the input'),
    deleteProperty: refusing('it writes into the input'),
  }
}

/** A value that is read and not returned has steered the function: `kind === 'a' ? x : y`. */
function checkReads(pipeline: string, reads: readonly Path[], paths: readonly Path[]): void {
  const startsWith = (path: Path, read: Path) => read.every((segment, index) => path[index] === segment)
  const stray = reads.find((read) => !paths.some((path) => startsWith(path, read)))
  if (stray !== undefined) throw refusal(pipeline, `it reads ${stray.join('.')} without returning it`)
}

/** Absent and empty values show what a recording can't: defaults, ||, ?? and conditions. */
function checkAnswers(
  pipeline: string,
  key: KeyFunction<unknown>,
  paths: readonly Path[],
  isList: boolean,
): void {
  for (const value of [undefined, null, false, 0, '', 'text', 1, {}]) {
    const input = sampleInput(paths, value)
    const answers = listOf(
      run(pipeline, () => key(input)),
      isList,
    )
    const expected = paths.map((path) => valueAt(input, path))
    if (answers.length === expected.length && answers.every((one, index) => Object.is(one, expected[index])))
      continue
    throw refusal(
      pipeline,
      `it has a default or a condition: it changes the value ${JSON.stringify(value) ?? 'undefined'}`,
    )
  }
  checkMissingHolders(pipeline, key, paths, isList)
}

/** `({ customer = { id: 1 } }) => customer.id` shows its default only where the customer itself is missing. */
function checkMissingHolders(
  pipeline: string,
  key: KeyFunction<unknown>,
  paths: readonly Path[],
  isList: boolean,
): void {
  const longest = Math.max(...paths.map((path) => path.length))
  for (let length = 1; length < longest; length += 1) {
    const holders = paths.map((path) => path.slice(0, length))
    const answers = answersOrNone(() => listOf(key(sampleInput(holders, undefined)), isList))
    if (answers.every((answer) => answer === undefined)) continue
    throw refusal(pipeline, 'it has a default for a part of its path')
  }
}

function answersOrNone(ask: () => readonly unknown[]): readonly unknown[] {
  try {
    return ask()
  } catch {
    // Reading on from undefined throws: what a plain path does.
    return []
  }
}

function listOf(answer: unknown, isList: boolean): readonly unknown[] {
  return isList && Array.isArray(answer) ? answer : [answer]
}

/** An input that holds the value at the end of each path, unless another path leads on from there. */
function sampleInput(paths: readonly Path[], value: unknown): unknown {
  const input = emptyObject()
  for (const path of [...paths].sort((left, right) => right.length - left.length)) {
    let holder = input
    for (const segment of path.slice(0, -1)) {
      holder[segment] ??= emptyObject()
      holder = holder[segment] as Record<string, unknown>
    }
    const last = path.at(-1) ?? ''
    if (!(last in holder)) holder[last] = value
  }
  return input
}

/** Without a prototype, so that a path may be named like one of its members. */
function emptyObject(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce((holder, segment) => (holder as Record<string, unknown>)[segment], input)
}

function refusal(pipeline: string, reason: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'key_not_a_path',
    `The key of pipeline '${pipeline}' is no path into the input: ${reason}.`,
    {
      fields: { pipeline, reason },
      hint: "A key is a path like 'customer.id', a list of paths, or a function that only picks them: ({ state }) => state.",
      cause,
    },
  )
}
