// The program of the workers in one file: a worker that is killed every few seconds must not cost a whole compiler each time it comes back.
import fs from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

/** Of this copy of the project. Answers with the file, which lies as deep as the sources do: they find what ships beside them by that. */
export async function bundleWorker(folder: string): Promise<string> {
  const outfile = path.join(folder, '.millrace', `chaos-${process.pid}`, 'worker.mjs')
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
