// The floor of three-step runs: start, three checkpoints, end, each durable before the next, batched over whatever waits,
// over one connection. No claims, no leases, no fences.
import type pg from 'pg'
import { inFlight, perSecond } from '../measure.ts'
import { createFloorTables } from './tables.ts'

const runs = 20_000

/** Runs a second. */
export async function threeStepRunsFloor(pool: pg.Pool, width: number): Promise<number> {
  await createFloorTables(pool)
  const client = await pool.connect()
  try {
    const checkpoints = new Checkpoints(client)
    return await perSecond(runs, () => inFlight(width, runs, () => oneRun(checkpoints)))
  } finally {
    client.release(true)
  }
}

/** One run, from its start to its end. */
export async function oneRun(checkpoints: Checkpoints): Promise<void> {
  const run = await checkpoints.start()
  for (let step = 0; step < 3; step++) await checkpoints.step(run, step)
  await checkpoints.end(run)
}

const flush = `
  with steps as (
    insert into floor.steps (run_id, step, output) select * from unnest($1::bigint[], $2::int[], $3::jsonb[])
  ), ended as (
    update floor.runs r set state = 'done', output = given.output, done_at = now()
      from unnest($4::bigint[], $5::jsonb[]) given(id, output) where r.id = given.id
  )
  insert into floor.runs (state, input) select 'running', given.input from unnest($6::jsonb[]) given(input) returning id`

interface Batch {
  readonly starts: Array<(run: string) => void>
  readonly steps: { readonly runs: string[]; readonly numbers: number[] }
  readonly ends: string[]
  readonly written: Array<() => void>
}

const emptyBatch = (): Batch => ({ starts: [], steps: { runs: [], numbers: [] }, ends: [], written: [] })

/** Whatever came while the last statement was under way goes with the next one. */
export class Checkpoints {
  readonly #client: pg.PoolClient
  #batch = emptyBatch()
  #waiting = false
  #busy = false
  #planned = false

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  start(): Promise<string> {
    return new Promise((resolve) => {
      this.#batch.starts.push(resolve)
      this.#plan()
    })
  }

  step(run: string, step: number): Promise<void> {
    this.#batch.steps.runs.push(run)
    this.#batch.steps.numbers.push(step)
    return this.#write()
  }

  end(run: string): Promise<void> {
    this.#batch.ends.push(run)
    return this.#write()
  }

  #write(): Promise<void> {
    return new Promise((resolve) => {
      this.#batch.written.push(resolve)
      this.#plan()
    })
  }

  #plan(): void {
    this.#waiting = true
    if (this.#planned) return
    this.#planned = true
    setImmediate(() => {
      this.#planned = false
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    if (this.#busy || !this.#waiting) return
    this.#busy = true
    const { starts, steps, ends, written } = this.#batch
    this.#batch = emptyBatch()
    this.#waiting = false
    const { rows } = await this.#client.query<{ id: string }>({
      name: 'floor_flush',
      text: flush,
      values: [
        steps.runs,
        steps.numbers,
        steps.runs.map(() => '{"ok":1}'),
        ends,
        ends.map(() => '{"ok":3}'),
        starts.map(() => '{"n":1}'),
      ],
    })
    this.#busy = false
    rows.forEach(({ id }, index) => starts[index]?.(id))
    for (const resolve of written) resolve()
    queueMicrotask(() => void this.#flush())
  }
}
