// Owns the comparison of two graphs of a pipeline: what a new version changes, in words, step by step.
import { canonicalJson } from './digest.ts'
import type { Graph, GraphNode } from './graph.ts'
import { type StoredGraph, wholeGraph } from './stored-graph.ts'
import { characters } from './text-width.ts'

export interface GraphChange {
  /** The step; null for what belongs to the pipeline as a whole. */
  readonly step: string | null
  readonly change: 'added' | 'removed' | 'changed'
  /** Of a changed step, or of the pipeline: its options that differ, in words. */
  readonly options: readonly string[]
}

/** What differs between two versions: of the pipeline as a whole, then in the written order of the new one; what is gone comes last. */
export function graphChanges(stored: StoredGraph, after: Graph): GraphChange[] {
  const before = wholeGraph(stored)
  const old = new Map(before.steps.map((step) => [step.name, step]))
  const names = new Set(after.steps.map(({ name }) => name))
  return [
    ...changedOptions(null, optionsOf(before), optionsOf(after)),
    ...after.steps.flatMap((step) => stepChange(old.get(step.name), step)),
    ...before.steps
      .filter(({ name }) => !names.has(name))
      .map(({ name }) => ({ step: name, change: 'removed' as const, options: [] })),
  ]
}

/** What decides who can read its values stands before all else. */
function optionsOf(graph: Graph): Map<string, unknown> {
  const { steps: _, encrypt, ...options } = graph
  return new Map<string, unknown>([['encrypt', encrypt], ...Object.entries(options)])
}

function stepChange(before: GraphNode | undefined, after: GraphNode): GraphChange[] {
  if (before === undefined) return [{ step: after.name, change: 'added', options: [] }]
  return changedOptions(after.name, fieldsOf(before), fieldsOf(after))
}

function changedOptions(
  step: string | null,
  old: ReadonlyMap<string, unknown>,
  young: ReadonlyMap<string, unknown>,
): GraphChange[] {
  const options = [...new Set([...old.keys(), ...young.keys()])].flatMap((name) => {
    const change = optionChange(name, old.get(name), young.get(name))
    return change === undefined ? [] : [change]
  })
  return options.length === 0 ? [] : [{ step, change: 'changed', options }]
}

/** `backoff` is told by its own options; whatever else a kind of step has is compared as it is. */
function fieldsOf(node: GraphNode): Map<string, unknown> {
  const { name: _, backoff, ...fields } = node
  return new Map<string, unknown>([...Object.entries(fields), ...Object.entries(backoff ?? {})])
}

function optionChange(name: string, before: unknown, after: unknown): string | undefined {
  const [old, young] = [before, after].map((value) =>
    value === undefined ? 'none' : canonicalJson(name === 'after' ? (value as string[]).toSorted() : value),
  )
  return old === young ? undefined : `${name} ${shortened(old!)} → ${shortened(young!)}`
}

const charactersMax = 60

function shortened(text: string): string {
  const all = characters(text)
  return all.length <= charactersMax ? text : `${all.slice(0, charactersMax - 1).join('')}…`
}
