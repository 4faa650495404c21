// The project's own text files, read once, as the rules see them: a path from the root, and its text.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type House = ReadonlyMap<string, string>

const not_ours = new Set(['node_modules', 'dist', 'coverage', '.git', '.millrace'])
const text_file = /\.(ts|tsx|mjs|js|sql|md|json|yml|yaml)$/

export const readHouse = (root: string): House =>
  new Map(pathsBelow(root, '').map((path) => [path, readFileSync(join(root, path), 'utf8')]))

export const houseOf = (files: Record<string, string>): House => new Map(Object.entries(files))

const pathsBelow = (root: string, folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !not_ours.has(entry.name))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return pathsBelow(root, path)
      return entry.isFile() && text_file.test(entry.name) ? [path] : []
    })

export const isTest = (path: string): boolean => /\.test(-d)?\.(ts|mjs)$/.test(path)

/** Paths of our TypeScript in src that are not tests. */
export const sourcePaths = (house: House): string[] =>
  [...house.keys()].filter((path) => path.startsWith('src/') && path.endsWith('.ts') && !isTest(path))

export const pathsUnder = (house: House, folder: string, ending = ''): string[] =>
  [...house.keys()].filter((path) => path.startsWith(`${folder}/`) && path.endsWith(ending))

export const textOf = (house: House, path: string): string => house.get(path) ?? ''

export const lineAt = (text: string, position: number): number => text.slice(0, position).split('\n').length
