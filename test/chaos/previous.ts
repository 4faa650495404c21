// A copy of the project as it was at an earlier revision, in which the worker of the chaos can be started.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeReachableFolder } from '../reachable-folder.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The worker's program and what it reads of the chaos are those of today: what is old is Millrace. */
const todays = ['test/chaos', 'test/programs/chaos-worker.ts', 'test/faults/random.ts']

/** Answers with its folder; undefined where there is no such revision, as in a copy without its history. */
export function checkOut(revision: string): string | undefined {
  const folder = makeReachableFolder()
  try {
    const git = ['archive', '--format=tar', revision, 'src', 'sql', 'package.json', 'tsconfig.json']
    const archive = execFileSync('git', git, { cwd: root, stdio: 'pipe', maxBuffer: 1_000_000_000 })
    execFileSync('tar', ['-x', '-C', folder], { input: archive })
  } catch {
    fs.rmSync(folder, { recursive: true, force: true })
    return undefined
  }
  try {
    for (const name of todays) fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true })
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
    return folder
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
