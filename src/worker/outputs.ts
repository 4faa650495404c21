// Fetches the outputs that handlers read and the worker doesn't remember: one query for whatever waits, once a run.
import type { Caller } from '../db/call.ts'
import { type OutputRow, readOutputs } from '../db/history.ts'
import { type OutcomeRow, readItemOutput, readOutcome } from '../db/outcomes.ts'
import { RememberedOutput, type RunMemory } from './run-memory.ts'
import { openOutcome, openStepOutput } from './sealing.ts'

export class OutputReader {
  readonly #caller: Caller
  #waiting: Array<{
    run: RunMemory
    steps: readonly string[]
    resolve: () => void
    reject: (error: unknown) => void
  }> = []
  /** By what remembers the run: one that was forgotten meanwhile, and is remembered anew, reads for itself. */
  readonly #underWay = new WeakMap<RunMemory, Map<string, Promise<void>>>()

  constructor(caller: Caller) {
    this.#caller = caller
  }

  /** Makes sure that the run's memory holds the outputs of these steps; nothing is read where it does. */
  async ensure(run: RunMemory, steps: readonly string[]): Promise<void> {
    const missing = steps.filter((step) => !run.outputs.has(step))
    if (missing.length === 0) return
    const readings = this.#underWay.get(run) ?? new Map<string, Promise<void>>()
    this.#underWay.set(run, readings)
    const key = missing.join(' ')
    let reading = readings.get(key)
    if (reading === undefined) {
      reading = this.#ask(run, missing).finally(() => readings.delete(key))
      readings.set(key, reading)
    }
    await reading
  }

  /** What the run will end as. */
  async outcome(run: RunMemory): Promise<OutcomeRow | undefined> {
    const outcome = await readOutcome(this.#caller, run.id)
    return run.cipher === undefined ? outcome : openOutcome(run, outcome)
  }

  /** What an item of a map gave; its map may have taken a fallback since. */
  async ofItem(run: RunMemory, step: string, item: number): Promise<unknown> {
    const output = await readItemOutput(this.#caller, { runId: run.id, step, item })
    return run.cipher === undefined ? output : run.cipher.openOutput(step, output, item)
  }

  #ask(run: RunMemory, steps: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run, steps, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => void this.#read())
    })
  }

  async #read(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    try {
      const pairs = batch.flatMap(({ run, steps }) => steps.map((step) => ({ runId: run.id, step })))
      const rows = await readOutputs(this.#caller, pairs)
      const found = new Map(rows.map((row) => [`${row.run_id} ${row.step}`, row]))
      for (const { run, steps, resolve, reject } of batch) {
        try {
          remember(run, steps, found)
          resolve()
        } catch (error) {
          // What can't be decrypted is the fault of its own run alone.
          reject(error)
        }
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

function remember(run: RunMemory, steps: readonly string[], found: ReadonlyMap<string, OutputRow>): void {
  for (const step of steps) {
    const row = found.get(`${run.id} ${step}`)
    if (row === undefined || row.outcome !== 'completed') {
      run.outputs.set(step, undefined)
      continue
    }
    const output = openStepOutput(run, step, row.output)
    run.outputs.set(step, new RememberedOutput({ value: withGaps(output, row.gaps) }))
  }
}

/** An item that failed is undefined in its list, as a step that was skipped is. */
function withGaps(output: unknown, gaps: OutputRow['gaps']): unknown {
  if (gaps === null || !Array.isArray(output)) return output
  for (const place of gaps) output[place] = undefined
  return output
}
