// Another revision of this repository, built in a temporary folder.
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Ending } from './ending.ts'
import { removeFolder, temporaryFolder } from './left-overs.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

export interface Revision {
  /** The name it was asked for by, with its commit. */
  readonly description: string
  readonly commit: string
  /** Its package, built. */
  readonly folder: string
}

/**
 * Checks out what git knows under the name and builds it, with the dependencies of this checkout: nothing is installed, and no working tree is
 * registered. Its folder goes with the ending.
 */
export async function buildRevision(name: string, ending: Ending): Promise<Revision> {
  const commit = await commitOf(name)
  const folder = temporaryFolder('revision')
  const interrupted = new AbortController()
  const building = buildIn(folder, commit, interrupted.signal)
  ending.add(async () => {
    // A compiler that goes on would make the folder again.
    interrupted.abort()
    await building.catch(() => {})
    removeFolder(folder)
  })
  await building.catch((error: unknown) => {
    throw new Error(`Revision ${name} could not be built: ${reasonOf(error)}`, { cause: error })
  })
  return { description: `${name} (${commit.slice(0, 8)})`, commit, folder }
}

async function buildIn(folder: string, commit: string, signal: AbortSignal): Promise<void> {
  const archive = path.join(folder, 'revision.tar')
  await run('git', ['archive', '--output', archive, commit], { cwd: root, signal })
  await run('tar', ['-xf', archive, '-C', folder], { signal })
  fs.rmSync(archive)
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [compiler, '-b'], { cwd: folder, signal })
}

async function commitOf(name: string): Promise<string> {
  const asked = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]
  const { stdout } = await run('git', asked, { cwd: root }).catch(() => {
    throw new Error(`git knows no revision '${name}' here. Name a commit, a branch or a tag.`)
  })
  return stdout.trim()
}

/** The compiler says what is wrong on its standard output. */
function reasonOf(error: unknown): string {
  const { stdout = '', message } = error as Error & { stdout?: string }
  return stdout.trim().split('\n')[0] || message
}
