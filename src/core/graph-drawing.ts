// Owns the drawing of a graph as text: each step under the last of those that it waits for.
import { durationWords } from './wording.ts'
import { batchOf, type Graph, type GraphNode } from './graph.ts'
import { batchKeyWords } from './graph-batches.ts'
import { type StoredGraph, wholeGraph } from './stored-graph.ts'

/** One line a step, in an order in which each comes after what it waits for. */
export function drawGraph(stored: StoredGraph): string[] {
  const graph = wholeGraph(stored)
  const parents = new Map(graph.steps.map((node) => [node.name, lastNeeded(graph, node)]))
  const roots = graph.steps.filter((node) => parents.get(node.name) === undefined)
  return roots.flatMap((root) => drawFrom(graph, parents, root, '', ''))
}

function drawFrom(
  graph: Graph,
  parents: ReadonlyMap<string, string | undefined>,
  node: GraphNode,
  first: string,
  rest: string,
): string[] {
  const below = graph.steps.filter((other) => parents.get(other.name) === node.name)
  return [
    `${first}${node.name}${notes(node, parents.get(node.name))}`,
    ...below.flatMap((child, index) => {
      const isLast = index === below.length - 1
      return drawFrom(
        graph,
        parents,
        child,
        `${rest}${isLast ? '└─ ' : '├─ '}`,
        `${rest}${isLast ? '   ' : '│  '}`,
      )
    }),
  ]
}

/** Of the steps that it waits for, the one that is furthest down itself. */
function lastNeeded(graph: Graph, node: GraphNode): string | undefined {
  const depths = new Map<string, number>()
  const depthOf = (name: string): number => {
    const known = depths.get(name)
    if (known !== undefined) return known
    const after = graph.steps.find((one) => one.name === name)?.after ?? []
    const depth = after.length === 0 ? 0 : 1 + Math.max(...after.map(depthOf))
    depths.set(name, depth)
    return depth
  }
  return [...node.after].sort((a, b) => depthOf(b) - depthOf(a))[0]
}

function notes(node: GraphNode, parent: string | undefined): string {
  const others = node.after.filter((name) => name !== parent)
  const words = [
    kindWords(node),
    batchWords(node),
    node.tx && node.kind !== 'sql' ? 'in one transaction' : '',
    node.when ? 'on a condition' : '',
    node.queue === 'default' ? '' : `queue ${node.queue}`,
    others.length > 0 ? `also after ${others.join(', ')}` : '',
  ].filter((word) => word !== '')
  return words.length === 0 ? '' : `  (${words.join('; ')})`
}

function kindWords(node: GraphNode): string {
  if (node.kind === 'map') return `map over ${node.over}`
  if (node.kind === 'step') return ''
  if (node.kind === 'undo') return `undoes ${node.undoes}`
  if (node.kind === 'finally') return `after the run has ${node.follows}`
  return node.target === undefined ? node.kind : `${node.kind} ${node.target}`
}

function batchWords(node: GraphNode): string {
  const batch = batchOf(node)
  if (batch === undefined) return ''
  const key = batchKeyWords(batch)
  return `up to ${batch.size} at once${key === '' ? '' : ` by ${key}`}, within ${durationWords(batch.within_ms)}`
}
