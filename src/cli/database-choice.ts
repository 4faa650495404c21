// Owns which database a command works on: named on the command line, configured, in the environment, or the embedded one.
import fs from 'node:fs'
import path from 'node:path'
import { MillraceError } from '../core/errors.ts'
import { startEmbeddedPostgres } from '../embedded/server.ts'
import type { Config } from '../sdk/config.ts'

export interface ChosenDatabase {
  readonly url: string
  /** Where notifications are delivered, if the address is that of a pooler. */
  readonly directUrl: string | undefined
  readonly source: 'option' | 'config' | 'environment' | 'embedded'
  /** An embedded server that did not run before, and ends with this process unless others come to use it. */
  readonly startedHere: boolean
  /** Lets an embedded server go, which stops with its last user. */
  release(): Promise<void>
}

export interface DatabaseSources {
  readonly option: string | undefined
  readonly config: Config | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The folder whose .millrace holds the embedded server's data. */
  readonly project: string
  /** Make an embedded server where there is none; others only use one that was made before. */
  readonly mayCreate: boolean
  readonly log?: (line: string) => void
}

/** @throws MillraceError config_variable_missing, embedded_… */
export async function chooseDatabase(sources: DatabaseSources): Promise<ChosenDatabase> {
  const { option, config, environment } = sources
  const directUrl = option === undefined ? config?.directDatabase : undefined
  const given = (url: string, source: 'option' | 'config' | 'environment'): ChosenDatabase => ({
    url,
    directUrl,
    source,
    startedHere: false,
    release: async () => {},
  })
  if (option !== undefined) return given(option, 'option')
  if (isSet(config?.database)) return given(config.database, 'config')
  const found = [environment['MILLRACE_DATABASE_URL'], environment['DATABASE_URL']].find(isSet)
  return found === undefined ? chooseEmbedded(sources) : given(found, 'environment')
}

/** An empty variable counts as one that is not set, as everywhere on Unix, and so does a setting that was read from it. */
function isSet(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== ''
}

/** The folder of an embedded server that was made before, here or in a folder above. */
export function findEmbedded(from: string): string | undefined {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const directory = path.join(folder, '.millrace')
    if (fs.existsSync(path.join(directory, 'postgres'))) return directory
    if (folder === path.dirname(folder)) return undefined
  }
}

async function chooseEmbedded({ project, mayCreate, log }: DatabaseSources): Promise<ChosenDatabase> {
  const directory = findEmbedded(project) ?? (mayCreate ? path.join(project, '.millrace') : undefined)
  if (directory === undefined) throw noDatabase()
  const server = await startEmbeddedPostgres({ directory, ...(log && { log }) })
  return {
    url: server.url,
    directUrl: undefined,
    source: 'embedded',
    startedHere: !server.adopted,
    release: () => server.release(),
  }
}

function noDatabase(): MillraceError {
  return new MillraceError(
    'config_variable_missing',
    'No database is configured, and there is no embedded one here.',
    {
      fields: { variable: 'DATABASE_URL' },
      hint: 'Set DATABASE_URL, write `database` into millrace.config.ts, or start an embedded one with: npx millrace dev',
    },
  )
}
