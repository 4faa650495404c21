// Another revision of this repository, built in a temporary folder.
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

export interface Revision {
  /** The name it was asked for by, with its commit. */
  readonly description: string
  readonly commit: string
  /** Its package, built. */
  readonly folder: string
  remove(): void
}

/** Checks out what git knows under the name and builds it, with the dependencies of this checkout: nothing is installed, and no working tree is registered. */
export async function buildRevision(name: string): Promise<Revision> {
  const commit = await commitOf(name)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-revision-'))
  const remove = () => fs.rmSync(folder, { recursive: true, force: true })
  try {
    const archive = path.join(folder, 'revision.tar')
    await run('git', ['archive', '--output', archive, commit], { cwd: root })
    await run('tar', ['-xf', archive, '-C', folder])
    fs.rmSync(archive)
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'junction')
    await run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: folder })
  } catch (error) {
    remove()
    throw new Error(`Revision ${name} could not be built: ${reasonOf(error)}`, { cause: error })
  }
  return { description: `${name} (${commit.slice(0, 8)})`, commit, folder, remove }
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
