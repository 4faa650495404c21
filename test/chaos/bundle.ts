// The program of the workers in one file: a worker that is killed every few seconds must not cost a whole compiler each time it comes back.
import fs from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

/** Where it is or will be in this copy of the project: as deep as the sources are, which find what ships beside them by that. */
export function bundleOf(folder: string): string {
  return path.join(folder, '.millrace', `chaos-${process.pid}`, 'worker.mjs')
}

/** Of this copy of the project. Answers with the file. */
export async function bundleWorker(folder: string): Promise<string> {
  const outfile = bundleOf(folder)
  await build({
    entryPoints: [path.join(folder, 'test', 'programs', 'chaos-worker.ts')],
    absWorkingDir: folder,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    outfile,
    logLevel: 'error',
  })
  return outfile
}

export function removeBundle(file: string): void {
  fs.rmSync(path.dirname(file), { recursive: true, force: true })
}
