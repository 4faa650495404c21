// Rules on error codes: what is raised stands in the catalogue, what stands there is raised.
import { type House, pathsUnder, sourcePaths, textOf } from './house.ts'
import type { Rule } from './rule.ts'
import { isNode, type Node, parse, readSource, walk } from './source.ts'

const catalogue_folder = 'src/core/error-catalogue'
const offending_entry = 'export const sdkErrors = { run_unknown: { cause: "", remedy: "" } }'

const raised_codes: Rule = {
  claim: 'every code given to MillraceError stands in the catalogue of src/core/error-catalogue',
  reason: 'the page of remedies is written from the catalogue; a code outside it has none.',
  offence: {
    [`${catalogue_folder}/sdk.ts`]: offending_entry,
    'src/sdk/client.ts': "throw new MillraceError('run_missing', {})",
  },
  find: (house) => {
    const known = new Set(catalogueOf(house).map((entry) => entry.code))
    return sourcePaths(house).flatMap((path) =>
      codesRaisedIn(house, path)
        .filter((code) => !known.has(code))
        .map((code) => `${path} raises '${code}', which the catalogue lacks`),
    )
  },
}

const codesRaisedIn = (house: House, path: string): string[] => [
  ...new Set(
    [...textOf(house, path).matchAll(/new MillraceError\(\s*'(\w+)'/g)].map(([, code = '']) => code),
  ),
]

const no_dead_codes: Rule = {
  claim: 'every code of the catalogue is raised somewhere',
  reason: 'a code that nothing raises sends readers looking for it.',
  offence: { [`${catalogue_folder}/sdk.ts`]: offending_entry },
  find: (house) => {
    const literals = new Set(
      sourcePaths(house).flatMap((path) => readSource(house, path).literals.map((literal) => literal.text)),
    )
    const sql = pathsUnder(house, 'sql', '.sql')
      .map((path) => textOf(house, path))
      .join('\n')
    return catalogueOf(house)
      .filter(({ code, sqlstate }) => !literals.has(code) && !(sqlstate && sql.includes(`'${sqlstate}'`)))
      .map(({ code }) => `'${code}' stands in the catalogue, but neither src nor sql raises it`)
  },
}

const one_entry_a_code: Rule = {
  claim: 'a code stands in the catalogue once',
  reason: 'of two files that have it, one would silently be read and the other not.',
  offence: {
    [`${catalogue_folder}/sdk.ts`]: offending_entry,
    [`${catalogue_folder}/worker.ts`]:
      'export const workerErrors = { run_unknown: { cause: "", remedy: "" } }',
    'src/sdk/client.ts': "throw new MillraceError('run_unknown', {})",
  },
  find: (house) => {
    const codes = catalogueOf(house).map(({ code }) => code)
    return codes
      .filter((code, place) => codes.indexOf(code) < place)
      .map((code) => `'${code}' stands in two files of ${catalogue_folder}`)
  },
}

type Entry = { code: string; sqlstate?: string }

const catalogueOf = (house: House): Entry[] => {
  const found: Entry[] = []
  for (const path of pathsUnder(house, catalogue_folder, '.ts'))
    walk(parse(path, textOf(house, path)), (node) => {
      if (node.type === 'VariableDeclarator') found.push(...entriesOf(node['init']))
    })
  return found
}

const entriesOf = (value: unknown): Entry[] =>
  properties(value).map(([code, entry]) => {
    const sqlstate = properties(entry).find(([name]) => name === 'sqlstate')?.[1]
    return isNode(sqlstate) ? { code, sqlstate: String(sqlstate['value']) } : { code }
  })

// The object may stand behind `as const` or `satisfies …`.
const properties = (value: unknown): [string, unknown][] => {
  if (!isNode(value)) return []
  if (value.type !== 'ObjectExpression') return properties(value['expression'])
  return (value['properties'] as Node[]).flatMap((property): [string, unknown][] => {
    const key = property['key']
    return isNode(key) ? [[String(key['name'] ?? key['value']), property['value']]] : []
  })
}

export const error_code_rules: Rule[] = [raised_codes, no_dead_codes, one_entry_a_code]
