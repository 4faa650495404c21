// What must hold of a program of durable operations, however often its handler was begun anew.
import { isDeepStrictEqual } from 'node:util'
import { type DurableTrial, type Operation, operationsOf } from './durable-arbitrary.ts'
import { type ObservedDurable, payloadOf } from './durable-trial.ts'

/** What went wrong, a sentence each. */
export function durableFaults({ program }: DurableTrial, observed: ObservedDurable): string[] {
  const faults: string[] = []
  if (observed.state !== 'completed') faults.push(`the run is ${observed.state}`)
  const seen = new Map<string, string>()
  for (const note of observed.notes) {
    const first = seen.get(note.name)
    if (note.what === 'executed') {
      if (first !== undefined) faults.push(`${note.name} is executed again after its result was seen`)
    } else if (first === undefined) seen.set(note.name, note.value)
    else if (first !== note.value) faults.push(`${note.name} gave ${first} first, and ${note.value} later`)
  }
  const stored = new Map<string, unknown>()
  for (const { name, value } of observed.stored) {
    if (stored.has(name)) faults.push(`${name} is stored twice`)
    stored.set(name, value)
  }
  for (const operation of operationsOf(program)) {
    const { name, kind } = operation
    if (kind === 'run' && seen.has(name) && JSON.stringify(stored.get(name)) !== seen.get(name))
      faults.push(`${name} gave ${seen.get(name)}, and ${JSON.stringify(stored.get(name))} is stored`)
    const wanted = inputsOf(operation)
    if (wanted === undefined || !seen.has(name)) continue
    const called = observed.children.filter((child) => child.name === name).map(({ input }) => input)
    if (!isDeepStrictEqual(called, wanted))
      faults.push(`${name} has called ${JSON.stringify(called)}, not ${JSON.stringify(wanted)}`)
  }
  const expected = program.map((operation) => resultOf(operation, seen))
  if (observed.state === 'completed' && !isDeepStrictEqual(observed.output, expected))
    faults.push(`it gave ${JSON.stringify(observed.output)}, not ${JSON.stringify(expected)}`)
  return faults
}

function inputsOf(operation: Operation): readonly number[] | undefined {
  if (operation.kind === 'call') return [operation.number]
  return operation.kind === 'callMany' ? operation.numbers : undefined
}

/** What the program gives: known beforehand, but for what was drawn, and for who won. */
function resultOf(operation: Operation, seen: ReadonlyMap<string, string>): unknown {
  const { name } = operation
  switch (operation.kind) {
    case 'caught':
      return `${name} breaks`
    case 'sleep':
      return null
    case 'signal':
      return payloadOf(name)
    case 'call':
      return operation.number * 2
    case 'callMany':
      return operation.numbers.map((number) => number * 2)
    case 'all':
      return operation.parts.map((part) => part.map((each) => resultOf(each, seen)))
    case 'any': {
      const { by } = drawnOf(name, seen) as { by: string }
      return { by, value: resultOf(operation.parts.find((part) => part.name === by)!, seen) }
    }
    case 'run':
    case 'now':
    case 'random':
      return drawnOf(name, seen)
  }
}

function drawnOf(name: string, seen: ReadonlyMap<string, string>): unknown {
  return JSON.parse(seen.get(name) ?? 'null')
}
