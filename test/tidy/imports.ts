// Rules on who may import whom: arrows between rooms, index files, cycles, dead files.
import { type House, sourcePaths } from './house.ts'
import type { Rule } from './rule.ts'
import { pathsReached, readSource, resolve } from './source.ts'

const level_by_room: Record<string, number> = {
  core: 0,
  api: 1,
  db: 1,
  net: 1,
  embedded: 1,
  sdk: 2,
  client: 2,
  triggers: 3,
  worker: 4,
  server: 4,
  cli: 5,
  testing: 5,
}

const entries = [
  'src/sdk/index.ts',
  'src/worker/index.ts',
  'src/server/index.ts',
  'src/client/index.ts',
  'src/cli/main.ts',
  'src/testing/index.ts',
]

const roomOf = (path: string): string => path.split('/')[1] ?? ''

const arrows: Rule = {
  claim: 'an import points to the same room or down a level',
  reason: 'a room can be read, tested and replaced when it knows only what lies below it.',
  offence: { 'src/db/run.ts': "import '../sdk/client.ts'", 'src/sdk/client.ts': '' },
  find: (house) =>
    sourcePaths(house).flatMap((path) => {
      const room = roomOf(path)
      if (level_by_room[room] === undefined)
        return [`${path} stands in no room: choose one of those in ARCHITECTURE.md`]
      return readSource(house, path).imports.flatMap((address) => arrowFault(house, path, address))
    }),
}

const arrowFault = (house: House, path: string, address: string): string[] => {
  if (/^millrace($|\/)/.test(address))
    return [`${path} imports its own package "${address}": import the file`]
  if (!address.startsWith('.')) return []
  const target = resolve(house, path, address)
  if (target === undefined || !target.endsWith('.ts'))
    return target === undefined
      ? [`${path} imports "${address}", which is no file (write the ending .ts)`]
      : []
  if (!target.startsWith('src/')) return [`${path} imports ${target}, which is not shipped`]
  const from = level_by_room[roomOf(path)] ?? 0
  const to = level_by_room[roomOf(target)] ?? 0
  if (roomOf(path) === roomOf(target) || to < from) return []
  return [`${path} (level ${from}) imports ${target} (level ${to})`]
}

const index_files: Rule = {
  claim: 'nobody inside src imports an index file',
  reason:
    'an index file is the door for callers outside; through it inside, every file depends on every other.',
  offence: { 'src/worker/loop.ts': "import '../sdk/index.ts'", 'src/sdk/index.ts': '' },
  find: (house) =>
    sourcePaths(house).flatMap((path) =>
      readSource(house, path)
        .imports.filter((address) => /^\.{1,2}\/(.*\/)?index\.[tj]s$/.test(address))
        .map((address) => `${path} imports ${address}: import the file that owns the name`),
    ),
}

const cycles: Rule = {
  claim: 'imports form no cycle',
  reason: 'files in a cycle are one file in several pieces, and load in an order that nobody chose.',
  offence: { 'src/core/a.ts': "import './b.ts'", 'src/core/b.ts': "import type { A } from './a.ts'" },
  find: (house) => {
    const settled = new Set<string>()
    return sourcePaths(house).flatMap((path) => cyclesFrom(house, path, [], settled))
  },
}

const cyclesFrom = (house: House, path: string, way: string[], settled: Set<string>): string[] => {
  if (way.includes(path)) return [[...way.slice(way.indexOf(path)), path].join(' -> ')]
  if (settled.has(path)) return []
  const found = importedPaths(house, path).flatMap((next) => cyclesFrom(house, next, [...way, path], settled))
  settled.add(path)
  return found
}

const importedPaths = (house: House, path: string): string[] =>
  readSource(house, path).imports.flatMap((address) => {
    const target = resolve(house, path, address)
    return target?.endsWith('.ts') ? [target] : []
  })

const dead_files: Rule = {
  claim: 'every file in src is reached from an entry of the package',
  reason: 'a file that nothing reaches is kept, read and repaired for nobody.',
  offence: {
    'src/sdk/index.ts': "export * from './client.ts'",
    'src/sdk/client.ts': '',
    'src/core/lost.ts': '',
  },
  find: (house) => {
    const reached = new Set<string>()
    const visit = (path: string): void => {
      if (reached.has(path) || !path.endsWith('.ts') || !house.has(path)) return
      reached.add(path)
      pathsReached(house, path).forEach(visit)
    }
    entries.forEach(visit)
    return sourcePaths(house)
      .filter((path) => !reached.has(path))
      .map((path) => `${path} is reached from none of ${entries.join(', ')}`)
  },
}

export const import_rules: Rule[] = [arrows, index_files, cycles, dead_files]
