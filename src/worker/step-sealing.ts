// Owns how the values of a served step are encrypted: with which cipher, item by item or as a whole, and what stays in the clear.
import type { Cipher } from '../core/encryption.ts'
import { type Graph, type GraphNode, lastSteps } from '../core/graph.ts'
import type { StartablePipeline } from '../sdk/startable.ts'
import { ringMissing } from '../sdk/sealed-runs.ts'

export interface Sealing {
  readonly cipher: Cipher
  /** Some map goes over its output: then each item is encrypted by itself. */
  readonly isListed: boolean
  /** The step over whose list it goes, where it does. */
  readonly over: string | undefined
  /** The steps whose outputs are those of the run. */
  readonly lastSteps: readonly string[]
  readonly encrypt: NonNullable<Graph['encrypt']>
}

/**
 * Undefined where the pipeline is not encrypted.
 *
 * @throws MillraceError encryption_key_missing: better no worker than one that fails each step
 */
export function sealingOf(
  { slug, graph }: StartablePipeline,
  node: GraphNode,
  cipher: Cipher | undefined,
): Sealing | undefined {
  if (graph.encrypt === undefined) return undefined
  if (cipher === undefined) throw ringMissing(slug)
  const itself = node.kind === 'undo' ? graph.steps.find(({ name }) => name === node.undoes) : node
  return {
    cipher,
    isListed: graph.steps.some((map) => map.kind === 'map' && map.over === node.name),
    over: itself?.kind === 'map' ? itself.over : undefined,
    lastSteps: lastSteps(graph),
    encrypt: graph.encrypt,
  }
}
