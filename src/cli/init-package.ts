// Owns what init adds to package.json: what a pipeline needs to run, and nothing that is there already.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../core/errors.ts'

/** One thing that init did, or left as it was. */
export interface InitNote {
  readonly file: string
  readonly did: 'wrote' | 'added' | 'kept'
  readonly what: string
}

interface Package {
  name?: string
  version?: string
  private?: boolean
  type?: string
  bin?: unknown
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

/** @throws MillraceError command_invalid for a package.json that can't be read */
export function extendPackage(folder: string): InitNote[] {
  const file = path.join(folder, 'package.json')
  const isNew = !fs.existsSync(file)
  const before: Package = isNew ? newPackage(folder) : readPackage(file)
  const additions = isNew ? [] : missing(before, folder)
  const after = isNew ? before : extended(before, additions)
  if (!isNew && additions.length === 0)
    return [{ file: 'package.json', did: 'kept', what: 'it has what is needed' }]
  fs.writeFileSync(file, `${JSON.stringify(after, null, isNew ? indentDefault : indentOf(file))}\n`)
  const what = isNew ? 'with millrace and zod' : additions.map(({ name }) => name).join(', ')
  return [{ file: 'package.json', did: isNew ? 'wrote' : 'added', what }]
}

const indentDefault = '  '

function indentOf(file: string): string {
  return /^[ \t]+(?=")/m.exec(fs.readFileSync(file, 'utf8'))?.[0] ?? indentDefault
}

function newPackage(folder: string): Package {
  const name = path
    .basename(path.resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  return {
    name: name === '' ? 'pipelines' : name,
    private: true,
    type: 'module',
    scripts: { dev: 'millrace dev' },
    dependencies: ownDependencies(),
  }
}

/** As this package itself names them: what was tried together. */
function ownDependencies(): Record<string, string> {
  const own = readPackage(fileURLToPath(new URL('../../package.json', import.meta.url)))
  return { millrace: `^${own.version}`, zod: own.dependencies?.['zod'] ?? '*' }
}

interface Addition {
  readonly name: string
  readonly add: (to: Package) => void
}

function missing(before: Package, folder: string): Addition[] {
  const known = { ...before.devDependencies, ...before.dependencies }
  const dependencies = Object.entries(ownDependencies()).filter(([name]) => known[name] === undefined)
  return [
    // Scripts that Node reads as CommonJS today would break; pipelines are loaded either way.
    ...(isUndecided(before) && !hasOwnScripts(folder)
      ? [{ name: '"type": "module"', add: (to: Package) => void (to.type = 'module') }]
      : []),
    ...(before.scripts?.['dev'] === undefined
      ? [
          {
            name: 'the script dev',
            add: (to: Package) => void (to.scripts = { ...to.scripts, dev: 'millrace dev' }),
          },
        ]
      : []),
    ...dependencies.map(([name, version]) => ({
      name: `the dependency ${name}`,
      add: (to: Package) => void (to.dependencies = { ...to.dependencies, [name]: version }),
    })),
  ]
}

/** `npm init` writes commonjs unasked, beside a test script that says that there is none. What is called by name may have no extension that says what it is. */
function isUndecided({ type, scripts, bin }: Package): boolean {
  if (bin !== undefined) return false
  return (
    type === undefined || (type === 'commonjs' && scripts?.['test']?.includes('no test specified') === true)
  )
}

function extended(before: Package, additions: readonly Addition[]): Package {
  const after = { ...before }
  for (const { add } of additions) add(after)
  return after
}

/** Below this nobody keeps scripts by hand: so deep lie data. */
const depthMax = 8

/** Wherever they lie in the package: its type counts for all of them. */
function hasOwnScripts(folder: string, depth = 0): boolean {
  return entriesOf(folder).some((entry) =>
    entry.isDirectory()
      ? depth < depthMax && isOwn(entry.name) && hasOwnScripts(path.join(folder, entry.name), depth + 1)
      : /\.[jt]sx?$/.test(entry.name),
  )
}

/** None where they may not be read, as those of a database's data in a container: they are no scripts of the package. */
function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') return []
    throw error
  }
}

function isOwn(folder: string): boolean {
  return folder !== 'node_modules' && !folder.startsWith('.')
}

function readPackage(file: string): Package {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Package
  } catch (cause) {
    throw new MillraceError(
      'command_invalid',
      `${file} cannot be read as JSON: ${(cause as Error).message}.`,
      {
        fields: { file },
        hint: 'Repair it, and call init again.',
        cause,
      },
    )
  }
}
