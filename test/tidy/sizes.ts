// The mirror: the longest files and functions, to be looked at, not to be forbidden.
import { type House, isTest, sourcePaths, textOf } from './house.ts'
import { type Extent, readSource } from './source.ts'

/** The ten longest files and functions, and how long the median function is. */
export const sizes = (house: House): string => {
  const functions = [...codeFunctions(house), ...sqlFunctions(house)].sort(byLength)
  return [
    table('The ten longest files', files(house).sort(byLength)),
    table('The ten longest functions', functions),
    `${functions.length} functions: the median has ${quantile(functions, 0.5)} lines, nine in ten have at most ${quantile(functions, 0.1)}.`,
  ].join('\n\n')
}

const byLength = (left: Extent, right: Extent): number => right.lines - left.lines

const files = (house: House): Extent[] =>
  [...house.keys()]
    .filter((path) => /^(src|sql|test|scripts|examples|bench)\/.*\.(ts|mjs|sql)$/.test(path))
    .map((path) => ({ name: path, lines: lineCount(textOf(house, path)) }))

const codeFunctions = (house: House): Extent[] =>
  sourcePaths(house).flatMap((path) =>
    readSource(house, path).functions.map(({ name, lines }) => ({ name: `${path} ${name}`, lines })),
  )

const sqlFunctions = (house: House): Extent[] =>
  [...house.keys()]
    .filter((path) => path.startsWith('sql/functions/') && !isTest(path) && path.endsWith('.sql'))
    .map((path) => ({ name: path, lines: lineCount(textOf(house, path)) }))

const lineCount = (text: string): number => text.trimEnd().split('\n').length

const table = (title: string, extents: Extent[]): string =>
  [title, ...extents.slice(0, 10).map(({ name, lines }) => `${String(lines).padStart(6)}  ${name}`)].join(
    '\n',
  )

const quantile = (longest_first: Extent[], share: number): number =>
  longest_first[Math.min(longest_first.length - 1, Math.floor(longest_first.length * share))]?.lines ?? 0
