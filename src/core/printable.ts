// Owns what of a text from outside may be shown: nothing that a terminal obeys, or by which its parts are read in another order.

/** Control characters, ends of line, and the marks that turn the direction of what stands after them. */
export const unprintable = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu

/** The same text in its lines and with its tabs; the rest is a space. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, (found) => found.replaceAll(/[^\n\t]+/g, ' '))
}

/** A value as JSON, where what is not printable is escaped: whoever reads it reads what is there, and a program the same value. */
export function printableJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent) ?? 'null'
  return text.replaceAll(unprintable, (found) => found.replaceAll(/[^\n]/g, escaped))
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
