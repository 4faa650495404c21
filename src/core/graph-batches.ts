// Owns the batch of a step: how many tasks one call of its handler gets, after how long at the latest, and what never meets in one.

export interface NodeBatch {
  readonly size: number
  /** After so long the oldest task waits for no others. */
  readonly within_ms: number
  /** Paths into the input, `$tenant`, or `$item` and on: their values are alike in all tasks of a batch. */
  readonly key?: ReadonlyArray<readonly string[]>
}

export interface BatchFault {
  readonly option: 'size' | 'within' | 'key' | 'concurrency' | 'tx'
  readonly found: string
}

const batchSizeMax = 1_000
const withinMsMax = 86_400_000
const keyPathsMax = 10

interface BatchedNode {
  readonly kind: string
  readonly tx: boolean
  readonly concurrency?: number
  readonly batch?: NodeBatch
}

/** The first rule that the batch of a step breaks; undefined where it has none or keeps them all. */
export function batchFault({ kind, tx, concurrency, batch }: BatchedNode): BatchFault | undefined {
  if (batch === undefined) return undefined
  const { size, within_ms, key = [] } = batch
  if (!isWhole(size, batchSizeMax))
    return { option: 'size', found: `${size}, where it is a whole number from 1 to 1,000` }
  if (!isWhole(within_ms, withinMsMax))
    return { option: 'within', found: `${within_ms} ms, where it is a time from 1 ms to 1 day` }
  if (tx)
    return { option: 'tx', found: 'true, where its tasks come in batches: each would need one of its own' }
  if (concurrency !== undefined && concurrency < size)
    return { option: 'concurrency', found: `${concurrency}, which is less than its batch of ${size} needs` }
  if (key.length > keyPathsMax) return { option: 'key', found: `${key.length} paths, where 10 are the most` }
  const stray = key.find(([scope, ...rest]) => !isReadable(scope, rest, kind))
  if (stray !== undefined) return { option: 'key', found: strayWords(stray) }
  return undefined
}

/** Of a batch of an encrypted pipeline: the path of its key that SQL can't read. */
export function sealedPath(
  { key = [] }: NodeBatch,
  clear: ReadonlyArray<readonly string[]>,
): readonly string[] | undefined {
  const readable = new Set(clear.map((path) => JSON.stringify(path)))
  return key.find((path) => path[0] !== '$tenant' && !readable.has(JSON.stringify(path)))
}

/** Its key as a text; empty where there is none. */
export function batchKeyWords({ key = [] }: NodeBatch): string {
  return key.map((path) => path.join('.')).join(', ')
}

function isReadable(scope: string | undefined, rest: readonly string[], kind: string): boolean {
  if (scope === '$tenant') return rest.length === 0
  if (scope === '$item') return kind === 'map'
  return scope !== undefined && !scope.startsWith('$')
}

function strayWords(path: readonly string[]): string {
  return path[0] === '$item'
    ? `${path.join('.')}, where the step is no map and has no items`
    : `${path.join('.')}, which leads neither into the input nor into $item or $tenant`
}

function isWhole(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= most
}
