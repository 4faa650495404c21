// Owns what a graph leaves out that was registered in plain SQL: it is filled in as define_steps does, for whoever draws or compares graphs.
import type { Backoff } from './backoff.ts'
import type { Graph, GraphNode } from './graph.ts'

/** A graph as it stands with its version. The SDK's say everything; one that was written by hand need say no more than the names of its steps. */
export type StoredGraph = Omit<Graph, 'steps' | 'key'> & {
  readonly steps: readonly StoredNode[]
  readonly key?: Graph['key']
}

type StoredNode = Sparse<GraphNode>

/** Of each kind of node apart: all but the name may be missing. */
type Sparse<Node extends GraphNode> = Node extends GraphNode
  ? { readonly name: string; readonly backoff?: Partial<Backoff> } & Partial<Omit<Node, 'name' | 'backoff'>>
  : never

const backoff: Backoff = { initial_ms: 30_000, factor: 2, max_ms: 3_600_000, jitter: 'full' }
const defaults = {
  kind: 'step',
  queue: 'default',
  tx: false,
  when: false,
  max_attempts: 3,
  timeout_ms: 300_000,
}

/** The graph with all that a step has where it says nothing else; a map comes after the step that it goes over. */
export function wholeGraph({ key = [], steps, ...options }: StoredGraph): Graph {
  return { ...options, key, steps: steps.map(wholeNode) }
}

function wholeNode(node: StoredNode): GraphNode {
  const over = 'over' in node && node.over !== undefined ? [node.over] : []
  const after = [...new Set([...(node.after ?? []), ...over])]
  return { ...defaults, ...node, after, backoff: { ...backoff, ...node.backoff } } as GraphNode
}
