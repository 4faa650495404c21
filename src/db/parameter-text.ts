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
  return plainText(element) ?? quoted(parameterText(element)!)
}

/**
 * A list of texts, numbers, booleans and nulls as PostgreSQL reads it from text: lists of ids and numbers take the driver twice the time. Undefined where
 * something else is in it, such as dates or bytes, which is left to the driver.
 */
export function listText(list: readonly unknown[]): string | undefined {
  let text = ''
  for (const element of list) {
    const written = plainText(element)
    if (written === undefined) return undefined
    text += text === '' ? written : `,${written}`
  }
  return `{${text}}`
}

function plainText(element: unknown): string | undefined {
  switch (typeof element) {
    case 'string':
      return quoted(element)
    case 'number':
    case 'boolean':
      return String(element)
    default:
      return element === null || element === undefined ? 'null' : undefined
  }
}

const special = /["\\]/

/** In two passes: one pattern for both takes twice the time, and so does replaceAll. */
function quoted(text: string): string {
  return special.test(text) ? `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"` : `"${text}"`
}
