// The little Markdown that the generated pages need.

export const generated = (source: string): string =>
  `<!-- Written by \`npm run docs\` from ${source}: change it there. -->`

/** A table; cells keep to one line, and their bars are escaped. */
export const table = (heads: string[], rows: string[][]): string =>
  [row(heads), row(heads.map(() => '---')), ...rows.map((cells) => row(cells.map(cell)))].join('\n')

export const code = (text: string): string => (text === '' ? '' : `\`${text}\``)

const row = (cells: string[]): string => `| ${cells.join(' | ')} |`

const cell = (text: string): string => text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|')
