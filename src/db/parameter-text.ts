// Parameters as text: the one form in which every driver passes a value on unchanged, whatever it knows of PostgreSQL's types.

/** A value as PostgreSQL reads it from text; null stays null. Takes what our own statements send: texts, numbers, booleans, dates, and lists of them. */
export function parameterText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return `{${value.map(elementText).join(',')}}`
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The statement with each parameter read as text first: `$4::jsonb[]` becomes `$4::text::jsonb[]`. */
export function withTextParameters(statement: string): string {
  return statement.replaceAll(/(\$\d+)::/g, '$1::text::')
}

function elementText(element: unknown): string {
  const text = parameterText(element)
  return text === null ? 'null' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
