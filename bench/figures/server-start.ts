// From the call of `millrace start` to the first 200 of /health/ready, on a database that is there already.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import type { Figure } from '../figure.ts'
import { everyRound } from '../measure.ts'
import { productModule } from '../product-folder.mjs'

const program = fileURLToPath(productModule('cli/main.js'))

export const serverStart: Figure = {
  name: 'server-start',
  measure: (bench) =>
    bench.withDatabase(async ({ url }) => {
      return [
        {
          label: 'millrace start: call to ready',
          ours: await everyRound(bench.rounds, () => startOnce(url)),
          unit: 'ms',
          goal: { atMost: 1_500 },
          note: 'a process of its own, API and webhooks, no configuration file',
        },
      ]
    }),
}

async function startOnce(database: string): Promise<number> {
  const began = performance.now()
  const child = spawn(process.execPath, [program, 'start', '--port', '0', '--json', '--database', database], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    const tooEarly = ended.then(() => {
      throw new Error('millrace start ended before it was ready; it says why above.')
    })
    const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), tooEarly])
    const { address } = JSON.parse(line as string) as { address: string }
    const { status } = await fetch(`${address}/health/ready`)
    if (status !== 200) throw new Error(`The server was not ready, but answered ${status}.`)
    return performance.now() - began
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}
