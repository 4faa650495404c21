// npm start with a new database, from the command to the first run begun.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Figure } from '../figure.ts'
import { removeFolder, temporaryFolder } from '../left-overs.ts'
import { repeat } from '../measure.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** What the example prints as soon as it sees that a run has begun. */
const begunLine = /the first began/

export const firstRun: Figure = {
  name: 'first-run',
  measure: async (bench) => [
    {
      label: 'npm start to first run begun',
      ours: await repeat(bench.rounds, secondsToFirstRun),
      unit: 's',
      goal: { atMost: 3 },
      note: 'packages installed, no database yet',
    },
  ],
}

async function secondsToFirstRun(): Promise<number> {
  const folder = temporaryFolder('bench')
  fs.chmodSync(folder, 0o755)
  const { DATABASE_URL: _, ...env } = process.env
  const begun = performance.now()
  const child = spawn(
    'npm',
    ['start', '--silent', '--', '--exit', '--directory', path.join(folder, '.millrace')],
    {
      cwd: root,
      env,
      shell: process.platform === 'win32',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = once(child, 'exit')
  let seconds: number | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    if (begunLine.test(line)) seconds ??= (performance.now() - begun) / 1_000
  }
  const [code] = await ended
  removeFolder(folder)
  if (seconds === undefined) throw new Error(`npm start ended with status ${code} and no run begun.`)
  return seconds
}
