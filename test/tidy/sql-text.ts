// The rule that SQL is written in two places only: sql/ and src/db.
import { sourcePaths } from './house.ts'
import type { Rule } from './rule.ts'
import { readSource } from './source.ts'

// Each pattern is a statement's beginning that English sentences don't share.
const statements = [
  /^select\s+(\d|\$|\*|'|exists\b|distinct\b|current_)/i,
  /^select\s[^]*(\sfrom\s|\(|::)/i,
  /^insert\s+into\s/i,
  /^update\s+\S+(\s+as\s+\w+)?\s+set\s/i,
  /^delete\s+from\s+(\$|[a-z_"]+[._"])/i,
  /^merge\s+into\s/i,
  /^with\s+(recursive\s+)?\w+(\s*\([^)]*\))?\s+as\s+(not\s+)?(materialized\s+)?\(/i,
  /^(create|alter|drop)\s+(or\s+replace\s+)?((unlogged|temp|temporary|unique|materialized|event)\s+)?(table|index|function|procedure|role|user|database|schema|type|domain|view|sequence|trigger|policy|extension)\s+(if\s+|concurrently\s+|\$|[a-z_"]+[._"]|millrace\b)/i,
  /^(begin|start transaction|commit|rollback|discard all)(\s+(work|transaction)\b.*)?;?$/,
  /^(savepoint|release savepoint|rollback to|prepare transaction|truncate|lock table)\s/i,
  /^(listen|unlisten|notify)\s+(\*|\$|"|[a-z]+_)/,
  /^(set|reset)\s+(local|session|role)\s+("|\$|[a-z])/,
  /^set\s+["\w.]+\s*(=|\bto\b)/i,
  /^show\s+\w+_\w+;?$/i,
  /^(grant|revoke)\s[^]+\s(on|to|from)\s/i,
  /^call\s+millrace\./i,
  /^(vacuum|analyze|explain|copy|do)\s+(\$|\(|"|full\b|[a-z_]+[._(])/i,
]

export const isSql = (text: string): boolean => {
  const begun = text.replace(/^(\s|--[^\n]*\n|\/\*[^]*?\*\/)+/, '').trimEnd()
  return statements.some((statement) => statement.test(begun))
}

const sql_text: Rule = {
  claim: 'SQL text stands in sql/ and src/db only',
  reason:
    'the truth lives in SQL functions; whoever wants a statement finds it in one of two places, where it is tested.',
  offence: {
    'src/sdk/client.ts':
      'export const read = (id: string) => query(`select state from run where id = ${id}`)',
  },
  find: (house) =>
    sourcePaths(house)
      .filter((path) => !path.startsWith('src/db/'))
      .flatMap((path) =>
        readSource(house, path)
          .literals.filter((literal) => isSql(literal.text))
          .map(
            ({ line, text }) =>
              `${path}:${line} "${text.trim().replace(/\s+/g, ' ').slice(0, 60)}": move it to src/db`,
          ),
      ),
}

export const sql_text_rules: Rule[] = [sql_text]
