// A temporary folder that other users can enter: as root the embedded server runs under another one.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** What the names of all of them begin with. */
export const FOLDER_PREFIX = 'millrace-test-'

/** Open to readers, as a project's folder is; mkdtemp alone would close it. The caller removes it. */
export function makeReachableFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), FOLDER_PREFIX))
  fs.chmodSync(folder, 0o755)
  return fs.realpathSync(folder)
}
