// Owns what a firing is expected to have done once its run has completed: a query that must be true, rows that must be there, or a value of the output.
import { canonicalJson } from './digest.ts'
import { type Duration, durationMs } from './duration.ts'
import { MillraceError, storableText } from './errors.ts'
import { checkJson } from './json.ts'

/** A query on your own tables. $1 is the slot (timestamptz), $2 the run's id (uuid), $3 its output (jsonb). It only reads, as the worker's role. */
export interface ExpectedQuery {
  /** Without `rows`: answers one row, whose first column is true. */
  readonly query: string
  /** It answers so many rows at least, whatever is in them. */
  readonly rows?: number
  /** How long after the end of the run it may take to become so; ten minutes unless told. */
  readonly within?: Duration
}

/** A value of the run's output: one of `equals`, `atLeast` and `atMost`. */
export interface ExpectedOutput {
  /** A path such as `report.rows`; an empty list of names is the whole output. */
  readonly output: string | readonly string[]
  /** Any JSON value but null. */
  readonly equals?: unknown
  readonly atLeast?: number
  readonly atMost?: number
}

export type Expectation = ExpectedQuery | ExpectedOutput

/** As it is stored. */
export type StoredExpectation =
  | { readonly query: string; readonly rows?: number }
  | ({ readonly output: readonly string[] } & (
      | { readonly equals: unknown }
      | { readonly at_least: number }
      | { readonly at_most: number }
    ))

const query_chars_max = 20_000
const rows_max = 1_000_000
const path_names_max = 20
const equals_bytes_max = 50_000

/**
 * An expectation as authors write it, in the form in which it is stored.
 * @throws MillraceError `schedule_invalid`, `duration_invalid`, `json_invalid`, `json_too_large`
 */
export function readExpectation(given: Expectation): {
  readonly expect: StoredExpectation
  readonly withinMs: number | undefined
} {
  if (typeof given !== 'object' || given === null || 'query' in given === 'output' in given)
    throw refused('it takes either a query or an output')
  if ('output' in given) return { expect: readOutput(given), withinMs: undefined }
  const { query, rows, within, ...rest } = given
  const [other] = Object.keys(rest)
  if (other !== undefined) throw refused(`a query takes no '${other}'`)
  if (typeof query !== 'string' || query.trim() === '' || query.length > query_chars_max)
    throw refused(`its query must be a text of 1 to ${query_chars_max} characters`)
  if (rows !== undefined && (!Number.isSafeInteger(rows) || rows < 1 || rows > rows_max))
    throw refused(`its rows must be a whole number from 1 to ${rows_max}`)
  return {
    expect: rows === undefined ? { query } : { query, rows },
    withinMs: within === undefined ? undefined : durationMs(within, 'within of expect'),
  }
}

function readOutput({ output, equals, atLeast, atMost, ...rest }: ExpectedOutput): StoredExpectation {
  const [other] = Object.keys(rest)
  if (other !== undefined)
    throw refused(`an output takes no '${other}': it changes no more once the run has completed`)
  const path = typeof output === 'string' ? output.split('.') : output
  if (
    !Array.isArray(path) ||
    path.length > path_names_max ||
    path.some((name) => typeof name !== 'string' || name === '')
  )
    throw refused(`its output must be a path such as report.rows, of at most ${path_names_max} names`)
  if (equals === null) throw refused('equals can be any value but null')
  const bounds = [atLeast, atMost].filter((bound) => bound !== undefined)
  if (bounds.length + (equals === undefined ? 0 : 1) !== 1)
    throw refused('an output takes one of equals, atLeast and atMost')
  if (!bounds.every(Number.isFinite)) throw refused('atLeast and atMost must be numbers')
  if (equals !== undefined) checkJson(equals, { what: 'equals of expect', maxBytes: equals_bytes_max })
  if (atLeast !== undefined) return { output: path, at_least: atLeast }
  return atMost === undefined ? { output: path, equals } : { output: path, at_most: atMost }
}

const refused = (why: string): MillraceError =>
  new MillraceError('schedule_invalid', `An expectation can't be verified: ${why}.`)

/** What a look at an expectation came to, and what it found, in short. */
export interface Look {
  readonly isMet: boolean
  readonly found: Readonly<Record<string, unknown>>
}

const found_chars_max = 1_000

/** Whether the output is as expected. What is not there is no pass. */
export function judgeOutput(expect: Extract<StoredExpectation, { output: unknown }>, output: unknown): Look {
  const value = expect.output.reduce<unknown>(memberOf, output)
  return {
    isMet: isAsExpected(expect, value),
    found:
      value === undefined
        ? { missing: storableText(expect.output.join('.'), found_chars_max) }
        : { value: shortened(value) },
  }
}

/** What the server answered to an expectation's query: at most two rows, or their number. */
export interface QueryAnswer {
  readonly rows: readonly (readonly unknown[])[]
  /** Whether the first column is of type boolean. */
  readonly isBoolean: boolean
}

/** Whether a query's answer is as expected: no row is no pass, nor are several, nor is a value that is no boolean. */
export function judgeQuery(
  expect: Extract<StoredExpectation, { query: unknown }>,
  { rows, isBoolean }: QueryAnswer,
): Look {
  const value = rows[0]?.[0]
  if (expect.rows !== undefined)
    return { isMet: typeof value === 'number' && value >= expect.rows, found: { rows: value } }
  if (rows.length !== 1) return { isMet: false, found: { rows: rows.length === 0 ? 0 : 'several' } }
  if (isBoolean) return { isMet: value === true, found: { value } }
  return notAsked(
    'not_boolean',
    'Its first column is no boolean: compare in the query, and select the outcome.',
  )
}

/** A look that found nothing out: never a pass. */
export function notAsked(code: string, message: string): Look {
  return { isMet: false, found: { error: { code, message: storableText(message, found_chars_max) } } }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

function isAsExpected(expect: Extract<StoredExpectation, { output: unknown }>, value: unknown): boolean {
  if (value === undefined) return false
  if ('equals' in expect) return canonicalJson(value) === canonicalJson(expect.equals)
  if (typeof value !== 'number') return false
  return 'at_least' in expect ? value >= expect.at_least : value <= expect.at_most
}

/** What was found is kept with the firing: short values as they are, long ones by their beginning. */
function shortened(value: unknown): unknown {
  const text = JSON.stringify(value) ?? 'null'
  return text.length <= found_chars_max ? value : storableText(text, found_chars_max)
}
