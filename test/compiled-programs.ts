// The programs that tests start, compiled once a run: so that none of them is translated anew in each process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What programs find by its place beside their sources. */
const besides = ['sql', 'node_modules', 'package.json']

/** Compiles into a folder of the same shape as the project. Types are no matter here: a check of its own judges them. */
export async function compilePrograms(folder: string): Promise<void> {
  for (const name of besides) fs.symlinkSync(path.join(root, name), path.join(folder, name))
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const project = path.join(root, 'test', 'programs', 'tsconfig.json')
  const args = [compiler, '-p', project, '--outDir', folder]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  await once(child, 'exit')
}
