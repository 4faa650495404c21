// A worker process of the chaos: serves the pipelines of a seed and a generation, and hangs or runs out of memory when it is told to.
// usage: forked, with '{"seed": 1, "generation": 0, "database": "postgres://…"}'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { fixedPipelines, randomPipelines, triggers } from '../chaos/pipelines.ts'

interface Given extends Omit<WorkerOptions, 'pipelines' | 'triggers' | 'log'> {
  readonly seed: number
  readonly generation: number
}

type Order = { readonly kind: 'block'; readonly ms: number } | { readonly kind: 'eat' }

const { seed, generation, ...options } = JSON.parse(process.argv[2] ?? '{}') as Given

process.on('message', (order: Order) => (order.kind === 'block' ? block(order.ms) : eat()))
// Nobody is left behind by a parent that was killed.
process.on('disconnect', () => process.exit(0))

const worker = await startWorker({
  ...options,
  pipelines: [...fixedPipelines, ...randomPipelines(seed, generation).map(({ pipeline }) => pipeline)],
  triggers,
  log: () => {},
})
process.on('SIGTERM', () => void worker.stop())
process.send?.({ kind: 'ready' })
await worker.stopped
process.exit(0)

/** Neither hears nor says anything. */
function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** Until its limit ends the process. */
function eat(): void {
  const eaten: number[][] = []
  for (;;) eaten.push(Array.from({ length: 500_000 }, () => eaten.length))
}
