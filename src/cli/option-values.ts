// Owns the values of options: numbers, times and pairs, each refused with the name of its option.
import { InvalidArgumentError } from 'commander'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'

/** A parser for whole numbers within bounds. */
export function wholeNumber(option: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`${option} takes a whole number from ${min} to ${max}.`)
  }
}

/** A time as ISO 8601, or a duration from now such as 10m. */
export function timeFrom(text: string): Date {
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Date.now() + durationFrom(text))
  if (!Number.isNaN(time.getTime())) return time
  throw new InvalidArgumentError('It takes a time like 2030-01-31T08:00Z, or a duration from now like 10m.')
}

function durationFrom(text: string): number {
  try {
    return durationMs(text as Duration, 'It')
  } catch (error) {
    if (error instanceof MillraceError) return Number.NaN
    throw error
  }
}

/** Collects name=value pairs. */
export function pair(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at > 0) return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
  throw new InvalidArgumentError('It takes name=value.')
}

/** JSON as somebody typed it. @throws MillraceError command_invalid */
export function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be read'
    throw new MillraceError('command_invalid', `The input is not JSON: ${reason}.`, {
      hint: `Quote it for your shell, as in '{"name": "Ada"}'; - reads it from stdin.`,
    })
  }
}
