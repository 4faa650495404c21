// Owns what a person counts as one character of a text, which is neither a UTF-16 unit nor a code point.

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const plain = /^[\x20-\x7e]*$/

/** The characters of a text, as a person counts them. */
export function characters(text: string): string[] {
  return plain.test(text) ? text.split('') : Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** How many columns a text takes in a terminal; wide scripts take more, and are cut a little late. */
export function width(text: string): number {
  return plain.test(text) ? text.length : characters(text).length
}

/** The text, with … for its end where it takes more columns than these. */
export function cut(text: string, columns: number): string {
  return width(text) <= columns
    ? text
    : `${characters(text)
        .slice(0, columns - 1)
        .join('')}…`
}
