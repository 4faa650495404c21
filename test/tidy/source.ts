// What the rules read off one TypeScript file: its imports, its literals, its functions.
import { posix } from 'node:path'
import { parseAst } from 'vitest/node'
import { type House, lineAt, textOf } from './house.ts'

type Literal = { text: string; line: number; owner: string }
export type Extent = { name: string; lines: number }
export type Source = { imports: string[]; literals: Literal[]; functions: Extent[] }

export type Node = { type: string; start: number; end: number; [field: string]: unknown }

const sources = new Map<string, Source>()

/** The file's imports (also dynamic ones and re-exports), text literals with their top-level owner, and functions. */
export const readSource = (house: House, path: string): Source => {
  const text = textOf(house, path)
  const known = sources.get(text)
  if (known) return known
  const source = sourceOf(parse(path, text), text)
  sources.set(text, source)
  return source
}

export const parse = (path: string, text: string): Node => {
  try {
    return parseAst(text, { lang: 'ts' }, path) as unknown as Node
  } catch (cause) {
    throw new Error(`${path} can't be parsed`, { cause })
  }
}

const sourceOf = (program: Node, text: string): Source => {
  const source: Source = { imports: [], literals: [], functions: [] }
  for (const statement of program['body'] as Node[]) {
    const owner = nameOf(statement) ?? `line ${lineAt(text, statement.start)}`
    walk(statement, (node, parent) => {
      const imported = importedBy(node)
      if (imported !== undefined) source.imports.push(imported)
      const literal = literalText(node, text)
      if (literal !== undefined && imported === undefined && importedBy(parent ?? node) === undefined)
        source.literals.push({ text: literal, line: lineAt(text, node.start), owner })
      if (isFunction(node))
        source.functions.push({
          name: (parent && nameOf(parent)) ?? nameOf(node) ?? `(in ${owner})`,
          lines: text.slice(node.start, node.end).split('\n').length,
        })
    })
  }
  return source
}

export const walk = (node: Node, visit: (node: Node, parent?: Node) => void, parent?: Node): void => {
  visit(node, parent)
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) value.filter(isNode).forEach((child) => walk(child, visit, node))
    else if (isNode(value)) walk(value, visit, node)
  }
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'

const importedBy = (node: Node): string | undefined => {
  if (!/^(Import|ExportNamed|ExportAll)(Declaration|Expression)$/.test(node.type)) return undefined
  const from = node['source']
  return isNode(from) && typeof from['value'] === 'string' ? from['value'] : undefined
}

const literalText = (node: Node, text: string): string | undefined => {
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value']
  return node.type === 'TemplateLiteral' ? text.slice(node.start + 1, node.end - 1) : undefined
}

const isFunction = (node: Node): boolean =>
  ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'].includes(node.type)

const nameOf = (node: Node): string | undefined => {
  if (isNode(node['declaration'])) return nameOf(node['declaration'])
  const declarations = node['declarations']
  if (Array.isArray(declarations) && isNode(declarations[0])) return nameOf(declarations[0])
  const named = node['id'] ?? node['key']
  return isNode(named) && typeof named['name'] === 'string' ? named['name'] : undefined
}

/** The paths within the house that a file leads to, by import or by a relative address such as `new URL('./thread.ts', …)`. */
export const pathsReached = (house: House, path: string): string[] => {
  const { imports, literals } = readSource(house, path)
  return [...imports, ...literals.map((literal) => literal.text)].flatMap((address) => {
    const target = resolve(house, path, address)
    return target === undefined ? [] : [target]
  })
}

export const resolve = (house: House, path: string, address: string): string | undefined => {
  if (!/^\.\.?\//.test(address)) return undefined
  const target = posix.join(posix.dirname(path), address)
  return [target, target.replace(/\.js$/, '.ts')].find((candidate) => house.has(candidate))
}
