// The kinds of events that SQL writes into the history of runs, read off its functions.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const functions = fileURLToPath(new URL('../sql/functions', import.meta.url))

/** Kinds whose second word is worked out, by their first: what it can become. */
const composed: Readonly<Record<string, readonly string[]>> = {
  callback: ['delivered', 'given_up', 'disabled'],
  firing: ['verified', 'unverified'],
}

/** Each kind once, in the order of the alphabet. */
export function eventKinds(): string[] {
  return [...new Set(writingStatements().flatMap(kindsOf))].sort()
}

/** Each statement that writes into the history; comments may hold semicolons, so they leave first. */
function writingStatements(): string[] {
  return readdirSync(functions, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sql') && !file.endsWith('write_event.sql'))
    .flatMap((file) => readFileSync(`${functions}/${file}`, 'utf8').replaceAll(/--.*$/gm, '').split(';'))
    .filter((statement) => /\bwrite_event\(|\binto (millrace\.)?event\b/.test(statement))
}

function kindsOf(statement: string): string[] {
  const whole = [...statement.matchAll(/'([a-z]+\.[a-z_]+)'/g)].map(([, kind]) => kind!)
  const begun = [...statement.matchAll(/'([a-z]+)\.' \|\|/g)].flatMap(([, first]) =>
    (composed[first!] ?? []).map((second) => `${first}.${second}`),
  )
  if (whole.length + begun.length === 0) throw new Error(`No kind of event was found in:${statement}`)
  return [...whole, ...begun]
}
