// Owns what a step may say while it runs: the form and the bounds of progress, metadata, metrics and parts of a stream.
import { MillraceError } from './errors.ts'
import { checkJson } from './json.ts'

/** Of a part, and of all the metadata of a run. */
export const reportBytesMax = 65_536
const streamPartsMax = 100_000
export const metricNamesMax = 20
/** A metric counts once for each set of labels. */
export const metricSeriesMax = 100
const labelsMax = 5
const labelValueMax = 100
const noteMax = 200

const metricPattern = /^[a-z][a-z0-9_]{0,62}$/

/** Whether a text may name a metric, a label or an objective. */
export function isMetricName(text: unknown): boolean {
  return typeof text === 'string' && metricPattern.test(text)
}

export type Labels = Readonly<Record<string, string>>

/** How far a step says that it is, as JSON text. @throws MillraceError progress_invalid */
export function progressText(done: number, total?: number, note?: string): string {
  checkCount('done', done)
  if (total !== undefined) checkCount('total', total)
  return JSON.stringify({ done, total, note: note === undefined ? undefined : shortNote(String(note)) })
}

function checkCount(name: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return
  throw new MillraceError(
    'progress_invalid',
    `The progress of a step has a ${name} of ${shown(value)}, where it is a number from 0.`,
    { fields: { name, value: shown(value) } },
  )
}

function shortNote(note: string): string {
  const short = note.length > noteMax ? `${note.slice(0, noteMax - 1)}…` : note
  return short.replaceAll('\u0000', '\ufffd').replaceAll(/\p{Surrogate}/gu, '\ufffd')
}

/**
 * A patch of a run's metadata in its JSON form, name by name.
 * @throws MillraceError json_invalid, json_too_large
 */
export function metadataPatch(patch: unknown): ReadonlyArray<readonly [string, unknown]> {
  const what = 'the metadata of a run'
  const text = checkJson(patch, { what, maxBytes: reportBytesMax })
  const value: unknown = JSON.parse(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value)
  throw new MillraceError('json_invalid', `${what} is an object, whose names are laid over those before.`, {
    fields: { what, path: '', reason: 'it is no object' },
  })
}

export interface MetricReport {
  readonly name: string
  /** Tells one metric with its labels from another. */
  readonly series: string
  /** As JSON text. */
  readonly text: string
}

/** A value of a metric. @throws MillraceError metric_invalid */
export function metricReport(name: string, value: number, labels: Labels = {}): MetricReport {
  if (!isMetricName(name))
    throw metricInvalid(
      `A metric is named ${shown(name)}: a name is a small letter, then small letters, digits and underlines, at most 63 in all.`,
    )
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw metricInvalid(`The metric '${name}' has a value of ${shown(value)}, which is no number.`)
  const entries = Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1))
  if (entries.length > labelsMax)
    throw metricInvalid(`The metric '${name}' has ${entries.length} labels; ${labelsMax} are the most.`)
  for (const [label, text] of entries) checkLabel(name, label, text)
  const sorted = Object.fromEntries(entries)
  return {
    name,
    series: JSON.stringify([name, entries]),
    text: JSON.stringify({ name, value, labels: sorted }),
  }
}

function checkLabel(metric: string, label: string, text: unknown): void {
  if (!isMetricName(label))
    throw metricInvalid(`The metric '${metric}' has a label named ${shown(label)}, which is no name.`)
  if (
    typeof text !== 'string' ||
    text.length > labelValueMax ||
    text.includes('\u0000') ||
    /\p{Surrogate}/u.test(text)
  )
    throw metricInvalid(
      `The label '${label}' of metric '${metric}' is ${shown(text)}, where it is a text of at most ${labelValueMax} characters.`,
    )
}

function metricInvalid(message: string): MillraceError {
  return new MillraceError('metric_invalid', message)
}

/** A part of a stream as JSON text. @throws MillraceError json_invalid, json_too_large */
export function partText(part: unknown): string {
  return checkJson(part, { what: 'a part of the stream', maxBytes: reportBytesMax })
}

export type ReportRefusal = 'json_too_large' | 'metrics_too_many' | 'stream_full'

/** What the database answers to a report beyond a bound that only it can see, since several steps share it. */
export function reportRefused(code: ReportRefusal, step: string): MillraceError {
  return new MillraceError(code, refusals[code](step), { fields: { step } })
}

const refusals: Readonly<Record<ReportRefusal, (step: string) => string>> = {
  json_too_large: (step) =>
    `Step '${step}' set metadata with which that of its run would be larger than ${reportBytesMax} bytes.`,
  metrics_too_many: (step) =>
    `Step '${step}' brought a metric beyond the ${metricNamesMax} names, or ${metricSeriesMax} names with their labels, that a run may have.`,
  stream_full: (step) =>
    `Step '${step}' wrote a part beyond the ${streamPartsMax} that the stream of a run takes.`,
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 100)}'`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** What a step said last of its progress. */
export interface ToldProgress {
  readonly step: string
  /** Of a map: the place of the item. */
  readonly item: number | null
  /** Which attempt said so. */
  readonly attempt: number
  readonly done: number
  readonly total: number | null
  readonly note: string | null
  readonly at: string
}

/** A metric with its labels: how many steps and items gave it a value, and what these are. */
export interface ToldMetric {
  readonly name: string
  readonly labels: Labels
  readonly values: number
  readonly last: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

/** An objective of the pipeline, and what was found. */
export interface ToldObjective {
  readonly name: string
  readonly min: number | null
  readonly max: number | null
  /** The path into the run's output; null where it is about the metric of its name. */
  readonly output: readonly string[] | null
  /** How many values were found. */
  readonly values: number
  readonly found_min: number | null
  readonly found_max: number | null
  readonly state: 'met' | 'missed' | 'open'
}

/** What a run has shown of itself. */
export interface ToldReports {
  readonly metadata: Readonly<Record<string, unknown>>
  /** How many parts its stream has. */
  readonly parts: number
  /** What was said last comes first; 100 at most. */
  readonly progress: readonly ToldProgress[]
  readonly metrics: readonly ToldMetric[]
  readonly objectives: readonly ToldObjective[]
}
