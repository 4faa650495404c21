// Owns the values of options: texts, numbers, times and pairs, each refused with the name of its option.
import { InvalidArgumentError } from 'commander'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'

/** A parser for texts. An empty one is refused: in a script it is a variable that nobody has set. */
export function text(option: string): (value: string) => string {
  return (value) => {
    if (value.trim() !== '') return value
    throw new InvalidArgumentError(`${option} was given an empty value: leave it out, or say which.`)
  }
}

/** The same for an option that takes several. */
export function texts(option: string): (value: string, before?: readonly string[]) => string[] {
  const read = text(option)
  return (value, before = []) => [...before, read(value)]
}

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
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError('It takes a time like 2030-01-31T08:00Z, or a duration from now like 10m.')
  const years = (time.getTime() - Date.now()) / yearMs
  if (years < -1 || years > 10)
    throw new InvalidArgumentError('It takes a time from a year ago to ten years ahead.')
  return time
}

/** A time as ISO 8601, or a duration before now such as 2h. */
export function pastTime(text: string): Date {
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Date.now() - durationFrom(text))
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError(
      'It takes a time like 2030-01-31T08:00Z, or a duration before now like 2h.',
    )
  return time
}

/** Runs a second; less than one a second too. */
export function rate(text: string): number {
  const value = /^\d{1,7}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (value >= 0.001 && value <= 1_000_000) return value
  throw new InvalidArgumentError('--rate takes a number of runs a second, from 0.001 to 1,000,000.')
}

const yearMs = 365 * 86_400_000

function durationFrom(text: string): number {
  try {
    return durationMs(text as Duration, 'It')
  } catch (error) {
    if (error instanceof MillraceError) return Number.NaN
    throw error
  }
}

/** Collects name=value pairs, of which a value may be empty. */
export function pair(given: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name, value] = parted(given)
  return { ...before, [name]: value }
}

/** The same where an empty value says nothing. */
export function textPair(
  given: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const [name, value] = parted(given)
  return { ...before, [name]: text(name)(value) }
}

function parted(given: string): [name: string, value: string] {
  const at = given.indexOf('=')
  if (at > 0) return [given.slice(0, at), given.slice(at + 1)]
  throw new InvalidArgumentError('It takes name=value.')
}
