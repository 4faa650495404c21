// Owns the words in which an event of a server is told to people: its name, what went wrong, and what it is found by again.
import { oneLine } from '../core/wording.ts'

/** 'delivery.failed delivery=0198… webhook=people reason=map_failed'; without a stack. */
export function eventWords(event: string, facts: Readonly<Record<string, unknown>>): string {
  const { code, error, correlation_id, stack: _, ...others } = facts
  const named = Object.entries(others).map(([name, value]) => [`${name}=`, value] as const)
  const words = [['', code], ['', error], ...named] as const
  const told = words.filter(([, value]) => value !== undefined && value !== null)
  const id = typeof correlation_id === 'string' ? [`(${correlation_id})`] : []
  return oneLine([event, ...told.map(([name, value]) => `${name}${String(value)}`), ...id].join(' '))
}

/** Where an error came up, a line for each place, without its text. */
export function placesOf(stack: unknown): readonly string[] {
  return typeof stack === 'string' ? stack.split('\n').filter((line) => /^ +at /.test(line)) : []
}
