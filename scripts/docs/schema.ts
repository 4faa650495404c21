// The page of the schema, read from a migrated database: the same text on each supported PostgreSQL, without partitions.
import type { ClientBase } from 'pg'
import { readFunctions, readRelations, type Routine, type Relation } from './catalog.ts'
import { code, generated, table } from './markdown.ts'

/** The Markdown of docs/schema.md for schema `millrace` of the connected database. */
export const schemaPage = async (client: ClientBase): Promise<string> => {
  // Without our schema in the search path every name is printed in full, and the same for everybody.
  await client.query("select set_config('search_path', 'pg_catalog', false)")
  const relations = await readRelations(client)
  const routines = await readFunctions(client)
  return `${[
    '# Schema',
    generated('the catalog of a freshly migrated database'),
    introduction,
    '## Tables and views',
    overview(relations),
    ...relations.map(relationSection),
    '## Functions',
    'In the order of their names. *Called by* lists the roles that hold the right to; where it is empty, only other functions call it.',
    ...routines.map(routineSection),
  ].join('\n\n')}\n`
}

const introduction = `Everything lives in the schema \`millrace\`. Row security is on for every table unless the table says otherwise. What a role may
do follows from [sql/grants.sql](../sql/grants.sql); who changes a state calls a function, nobody writes a table by hand.`

const overview = (relations: Relation[]): string =>
  table(
    ['name', 'what it holds'],
    relations.map(({ name, comment }) => [`[${name}](#${name})`, comment]),
  )

const relationSection = (relation: Relation): string =>
  [
    `### ${relation.name}`,
    `${kindWords(relation)}${relation.comment}`,
    columnTable(relation),
    list('Keys', relation.keys),
    list('Checks', relation.checks),
    list('Indexes', relation.indexes),
    list('Triggers', relation.triggers),
    list('Policies', relation.policies),
    relation.grants.length > 0 ? `Grants: ${relation.grants.join('; ')}.` : '',
  ]
    .filter(Boolean)
    .join('\n\n')

const kindWords = ({ kind, partitioned_by, row_security }: Relation): string =>
  [
    kind === 'view' ? 'A view. ' : '',
    partitioned_by === null ? '' : `Partitioned by ${code(partitioned_by)}. `,
    kind === 'table' && !row_security ? 'Row security is off. ' : '',
  ].join('')

const columnTable = ({ columns }: Relation): string =>
  table(
    ['column', 'type', 'null', 'default', ''],
    columns.map((column) => [
      code(column.name),
      code(column.type),
      column.nullable ? 'yes' : 'no',
      code(column.default_value),
      column.comment,
    ]),
  )

const list = (title: string, lines: string[]): string =>
  lines.length === 0 ? '' : [`${title}:`, '', ...lines.map((line) => `- ${code(line)}`)].join('\n')

const routineSection = (routine: Routine): string =>
  [
    `### ${routine.name}`,
    routine.comment,
    `\`\`\`sql\n${routine.name}(${routine.argument_list.length > 0 ? `\n  ${routine.argument_list.join(',\n  ')}\n` : ''}) returns ${routine.result}\n\`\`\``,
    [
      routine.definer ? 'Runs with the rights of its owner.' : '',
      routine.callers.length > 0 ? `Called by: ${routine.callers.map(code).join(', ')}.` : '',
    ]
      .filter(Boolean)
      .join(' '),
  ]
    .filter(Boolean)
    .join('\n\n')
