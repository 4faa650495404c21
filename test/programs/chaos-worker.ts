// A worker process of the chaos: serves the pipelines of a seed and a generation, and hangs, runs out of memory or ends in the middle when it is told to.
// usage: forked, with '{"seed": 1, "generation": 0, "database": "postgres://…"}'
import { getHeapCodeStatistics } from 'node:v8'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { heedOrder, type Order } from '../chaos/orders.ts'
import { fixedPipelines, randomPipelines, triggers } from '../chaos/pipelines.ts'

interface Given extends Omit<WorkerOptions, 'pipelines' | 'triggers' | 'log'> {
  readonly seed: number
  readonly generation: number
}

const { seed, generation, ...options } = JSON.parse(process.argv[2] ?? '{}') as Given

process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'block':
      return block(order.ms)
    case 'eat':
      return eat()
    case 'measure':
      return measure()
    default:
      return heedOrder(order)
  }
})
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

/**
 * What it really holds: what nobody refers to any more is collected first, where it was started so that it can be. Without what V8 makes of functions as
 * they are called often, which under a light load goes on for hours.
 */
function measure(): void {
  globalThis.gc?.()
  const { code_and_metadata_size: machineCode, bytecode_and_metadata_size: bytecode } =
    getHeapCodeStatistics()
  process.send?.({ kind: 'measured', heapBytes: process.memoryUsage().heapUsed - machineCode - bytecode })
}

/** Until its limit ends the process. */
function eat(): void {
  const eaten: number[][] = []
  for (;;) eaten.push(Array.from({ length: 500_000 }, () => eaten.length))
}
