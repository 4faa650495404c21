// Owns the outline of an SQL command: what can be shown of it without its texts and comments, each read to its end as PostgreSQL's scanner reads it.

/** What stands there in place of a text. */
const hiddenText = "'…'"

/** A part of a command: how it is shown, and where the next one begins. */
interface Part {
  readonly shown: string
  readonly end: number
}

/**
 * A command whose texts are hidden and whose comments are gone; names in quotes stay as they are. What is taken for the end of a text or comment too early
 * turns all that follows inside out: so what has no end, or one that depends on a setting, is hidden to the last character.
 */
export function outlineOf(command: string): string {
  let shown = ''
  for (let at = 0; at < command.length; ) {
    const part = partAt(command, at)
    shown += part.shown
    at = part.end
  }
  return shown
}

/** Words are read as a whole, since a quote, an E or a $ within them begins nothing; every character beyond ASCII is a letter. */
const beginning =
  /--|\/\*|"|[eE]?'|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y

function partAt(sql: string, at: number): Part {
  const begun = foundAt(beginning, sql, at)
  const within = at + begun.length
  if (begun === '') return { shown: sql.charAt(at), end: at + 1 }
  if (begun === '--') return { shown: ' ', end: within + foundAt(restOfLine, sql, within).length }
  if (begun === '/*') return { shown: ' ', end: commentEnd(sql, at) }
  if (begun === '"') return nameAt(sql, at)
  if (begun.startsWith('$')) return { shown: hiddenText, end: endBehind(begun, sql, within) ?? sql.length }
  if (begun.endsWith("'"))
    return { shown: hiddenText, end: textEnd(sql, within, { isEscaped: begun !== "'" }) }
  return { shown: begun, end: within }
}

const restOfLine = /[^\n\r]*/y

/** Comments lie in one another. */
function commentEnd(sql: string, start: number): number {
  let depth = 0
  for (const { 0: mark, index } of sql.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1
    if (depth === 0) return start + index + mark.length
  }
  return sql.length
}

/** One with a quote in it is two that touch. */
function nameAt(sql: string, at: number): Part {
  const end = endBehind('"', sql, at + 1)
  return end === undefined ? { shown: '"…"', end: sql.length } : { shown: sql.slice(at, end), end }
}

/** Without E, a backslash escapes a quote only where `standard_conforming_strings` is off: which of the two ends the text is in doubt. */
function textEnd(sql: string, start: number, { isEscaped }: { readonly isEscaped: boolean }): number {
  for (let at = start; at < sql.length; at++) {
    if (sql[at] === '\\') {
      at++
      if (!isEscaped && sql[at] === "'") return sql.length
    } else if (sql[at] === "'") {
      const next = continuedAt(sql, at + 1)
      if (next === undefined) return at + 1
      at = next
    }
  }
  return sql.length
}

/** Where the quote stands with which a text goes on that has ended, by the same rules: right there, or behind white space and comments with a line break. */
function continuedAt(sql: string, at: number): number | undefined {
  const gap = foundAt(spaceAndLines, sql, at)
  const goesOn = sql[at + gap.length] === "'" && (gap === '' || /[\n\r]/.test(gap))
  return goesOn ? at + gap.length : undefined
}

const spaceAndLines = /(?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*/y

/** Where a sticky pattern fits, what it finds; else nothing. */
function foundAt(pattern: RegExp, sql: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(sql)?.[0] ?? ''
}

function endBehind(mark: string, sql: string, from: number): number | undefined {
  const at = sql.indexOf(mark, from)
  return at === -1 ? undefined : at + mark.length
}
