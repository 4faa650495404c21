// Owns how an account tells what a run has shown of itself: what it says, what it measured, and whether its objectives were met.
import type { RunAccount } from './account-data.ts'
import type { ToldMetric, ToldObjective, ToldProgress } from './reports.ts'
import { fill } from './text-fill.ts'
import { count, grouped, oneLine } from './wording.ts'

const valueMax = 200

export function reportLines(account: RunAccount): string[] {
  const sections = [metadataLines(account), metricLines(account), objectiveLines(account)]
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))
}

function metadataLines({ metadata, parts, run }: RunAccount): string[] {
  const entries = Object.entries(metadata).map(([name, value]) => `${oneLine(name)}: ${valueWords(value)}`)
  const stream =
    parts === 0
      ? []
      : [`Its stream has ${count(parts, 'part', 'parts')}; read it with: npx millrace run follow ${run.id}`]
  return section('What it says of itself', [...entries, ...stream])
}

function valueWords(value: unknown): string {
  const text = oneLine(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length > valueMax ? `${text.slice(0, valueMax - 1)}…` : text
}

function metricLines({ metrics }: RunAccount): string[] {
  return section('What it measured', metrics.map(metricWords))
}

function metricWords({ name, labels, values, last, min, max, sum }: ToldMetric): string {
  const labelled = Object.entries(labels).map(([label, text]) => `${label} ${oneLine(text)}`)
  const head = labelled.length === 0 ? name : `${name} (${labelled.join(', ')})`
  if (values === 1) return `${head}: ${numberWords(last)}`
  return `${head}: ${numberWords(min)} to ${numberWords(max)} in ${grouped(values)} values, ${numberWords(sum)} in all`
}

function objectiveLines({ objectives }: RunAccount): string[] {
  return section('Its objectives', objectives.map(objectiveWords))
}

function objectiveWords(objective: ToldObjective): string {
  const { name, min, max, output, state, values } = objective
  const least = min === null ? [] : [`at least ${numberWords(min)}`]
  const most = max === null ? [] : [`at most ${numberWords(max)}`]
  const place = output === null ? '' : ` (output ${output.map(oneLine).join('.')})`
  const found = values === 0 ? 'there is no value' : `with ${foundWords(objective)}`
  const words = state === 'open' ? 'open, there is no value yet' : `${state}, ${found}`
  return `${name}${place}, ${[...least, ...most].join(' and ')}: ${words}`
}

function foundWords({ found_min, found_max }: ToldObjective): string {
  const [least, most] = [numberWords(found_min ?? 0), numberWords(found_max ?? 0)]
  return least === most ? least : `${least} to ${most}`
}

/** '40 of 120 (33 %), page 3'. */
export function progressWords({ done, total, note }: ToldProgress): string {
  const percent =
    total === null || total === 0 ? '' : ` (${Math.min(100, Math.floor((100 * done) / total))} %)`
  const far = total === null ? `${numberWords(done)} done` : `${numberWords(done)} of ${numberWords(total)}`
  return `${far}${percent}${note === null || note === '' ? '' : `, ${oneLine(note)}`}`
}

const digitsShown = 4

function numberWords(number: number): string {
  if (Number.isSafeInteger(number)) return number < 0 ? `-${grouped(-number)}` : grouped(number)
  return String(Number(number.toPrecision(digitsShown)))
}

function section(title: string, entries: readonly string[]): string[] {
  if (entries.length === 0) return []
  return [title, ...entries.flatMap((entry) => fill(entry, { first: '  ', next: '    ' }))]
}
