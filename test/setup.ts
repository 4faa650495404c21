// Runs around each test file: gives it a temporary folder of its own, and fails it when it leaves anything behind.
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, inject } from 'vitest'
import { Beginning, waitedFor } from './leftovers.ts'
import { makeScratchFolder, translationsName } from './scratch.ts'

const environment = process.env
// A file that could not be read has not set it back.
environment['TMPDIR'] = inject('scratchRoot')
const folder = makeScratchFolder()
environment['TMPDIR'] = folder
// What tsx has translated is kept for all.
fs.symlinkSync(path.join(inject('machineFolder'), translationsName), path.join(folder, translationsName))
const beginning = new Beginning(folder)

// Hooks run in reverse: this one after all of the file's own.
afterAll(async () => {
  const left = await waitedFor(() => beginning.leftovers())
  beginning.end()
  process.env = environment
  environment['TMPDIR'] = inject('scratchRoot')
  fs.rmSync(folder, { recursive: true, force: true })
  if (left.length > 0)
    throw new Error(`This file left behind:\n${left.map((line) => `- ${line}`).join('\n')}`)
})
