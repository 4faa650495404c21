// A text of SQL divided into its statements, for files that must be run one statement at a time.

// What may hide a semicolon, longest first: comments, strings, quoted names, dollar-quoted bodies.
const PIECE =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?\$\k<tag>\$|;|\s+|[^\s;'"$/-]+|[\s\S]/g

/**
 * Divides at semicolons outside of strings, quoted names, dollar quotes and comments. Comments are dropped and
 * white space is kept. Nested comments and backslash escapes (E'\'') are not understood: our files use neither.
 */
export function splitStatements(text: string): string[] {
  const statements: string[] = []
  let current = ''
  for (const [piece] of text.matchAll(PIECE)) {
    if (piece === ';') {
      statements.push(current.trim())
      current = ''
    } else if (!piece.startsWith('--') && !piece.startsWith('/*')) {
      current += piece
    }
  }
  return [...statements, current.trim()].filter((statement) => statement !== '')
}
