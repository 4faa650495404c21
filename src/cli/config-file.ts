// Owns millrace.config.ts as a file: found in this folder or above it, loaded as TypeScript or JavaScript, and checked.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { tsImport } from 'tsx/esm/api'
import { MillraceError } from '../core/errors.ts'
import { oneLine } from '../core/wording.ts'
import { type Config, defineConfig } from '../sdk/config.ts'

export const configNames = [
  'millrace.config.ts',
  'millrace.config.mts',
  'millrace.config.js',
  'millrace.config.mjs',
]

export interface LoadedConfig {
  readonly file: string
  readonly config: Config
}

/** The configuration file in this folder or the nearest above it. */
export function findConfig(from: string): string | undefined {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const found = configNames.map((name) => path.join(folder, name)).find((file) => fs.existsSync(file))
    if (found !== undefined) return found
    if (folder === path.dirname(folder)) return undefined
  }
}

/**
 * Loads and checks a configuration file.
 *
 * @param onImport gets each file of the project that is loaded with it
 * @throws MillraceError config_missing, config_not_loadable, config_invalid, and those of pipeline()
 */
export async function loadConfig(
  file: string,
  onImport: (file: string) => void = () => {},
): Promise<LoadedConfig> {
  if (!fs.existsSync(file)) {
    throw new MillraceError('config_missing', `There is no configuration file ${file}.`, { fields: { file } })
  }
  if (fs.statSync(file).isDirectory()) {
    throw new MillraceError('config_missing', `${file} is a folder, and no configuration file.`, {
      fields: { file },
      hint: 'Name the file in it, or call the command in that folder without --config.',
    })
  }
  const exported = await importFile(file, onImport)
  if (exported === undefined) {
    throw new MillraceError('config_invalid', `${path.basename(file)} has no default export.`, {
      fields: { file },
      hint: 'End it with: export default defineConfig({ pipelines: [ … ] })',
    })
  }
  return { file, config: defineConfig(exported as Config) }
}

async function importFile(file: string, onImport: (file: string) => void): Promise<unknown> {
  const tell = (name: string): void => {
    if (!name.split(path.sep).includes('node_modules')) onImport(name)
  }
  try {
    const loaded: unknown = await tsImport(pathToFileURL(file).href, {
      parentURL: import.meta.url,
      onImport: (url) => {
        if (url.startsWith('file:')) tell(fileURLToPath(withoutQuery(url)))
      },
    })
    return innermost(loaded)
  } catch (cause) {
    // An error of ours says by itself what is wrong with a pipeline.
    if (cause instanceof Error && cause.name === 'MillraceError') throw cause
    throw new MillraceError(
      'config_not_loadable',
      `${path.basename(file)} cannot be loaded: ${reason(cause)}`,
      {
        fields: { file },
        hint: hintFor(reason(cause)),
        cause,
      },
    )
  } finally {
    // What a package without "type": "module" imports is required, and not told by the loader.
    for (const name of Object.keys(createRequire(import.meta.url).cache)) tell(withoutQuery(name))
  }
}

function withoutQuery(address: string): string {
  return address.split('?')[0] ?? address
}

/** The default export; a file that was loaded as CommonJS carries it one level deeper. */
function innermost(loaded: unknown): unknown {
  const outer = isRecord(loaded) ? loaded['default'] : undefined
  return isRecord(outer) && 'default' in outer ? outer['default'] : outer
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** A package is asked for by its name, a file by its path. */
function hintFor(told: string): string {
  return /^Cannot find (?:package|module) '(?![./]|\w:)/.test(told)
    ? 'Install what it imports with: npm install'
    : 'Correct it, or the file that it imports; --debug shows where.'
}

function reason(cause: unknown): string {
  const text = oneLine(cause instanceof Error ? cause.message : String(cause))
  return /[.!?]$/.test(text) ? text : `${text}.`
}
