// The words of all attempts of a worker, on their way to the database: progress, metadata, metrics, parts of streams. What several of them say in
// one turn is one call, fenced as everything that a worker writes.
import type { Caller } from '../db/call.ts'
import { type ReportAnswerRow, type ReportRow, reportTasks } from '../db/streams.ts'
import type { WorkerKey } from '../db/tasks.ts'
import type { HeldTask } from './held-task.ts'
import { type ReportEnd, StepReports, type StepReportsParts } from './step-reports.ts'
import { TurnBatches, untilAnswered } from './turn-batches.ts'

const rowsPerCall = 1_000
const charactersPerCall = 8_388_608

interface Taken {
  readonly task: HeldTask
  readonly rows: readonly ReportRow[]
  readonly settle: (end: ReportEnd) => void
}

interface Entry {
  readonly taken: Taken
  readonly row: ReportRow
}

export class Reports {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #batches = new TurnBatches<StepReports>((said) => this.#write(said))
  readonly #parts: StepReportsParts

  constructor(caller: Caller, worker: WorkerKey, monotonic: () => number) {
    this.#caller = caller
    this.#worker = worker
    this.#parts = {
      said: (reports) => this.#batches.add(reports),
      stored: () => this.#batches.written(),
      monotonic,
    }
  }

  /** Where an attempt says what it has to say. */
  of(task: HeldTask): StepReports {
    return new StepReports(task, this.#parts)
  }

  async #write(said: readonly StepReports[]): Promise<void> {
    const taken = said.map((reports) => ({ task: reports.task, ...reports.take() }))
    const ends = await this.#send(taken)
    for (const one of taken) one.settle(ends.get(one) ?? 'kept')
  }

  /** A batch that the database refuses is sent again attempt by attempt: what one of them said is no fault of the others. */
  async #send(taken: readonly Taken[]): Promise<ReadonlyMap<Taken, ReportEnd>> {
    const entries = taken.flatMap((one) => one.rows.map((row) => ({ taken: one, row })))
    const ends = new Map<Taken, ReportEnd>()
    try {
      for (const batch of divided(entries)) {
        for (const { task_id, code } of await this.#call(batch))
          for (const one of taken) if (one.task.taskId === task_id && !ends.has(one)) ends.set(one, code)
      }
      return ends
    } catch (error) {
      if (taken.length === 1) return new Map(taken.map((one) => [one, error as Error]))
      const apart: Array<readonly [Taken, ReportEnd]> = []
      for (const one of taken) apart.push(...(await this.#send([one])))
      return new Map(apart)
    }
  }

  /** Sent twice, where an answer was lost: parts have their numbers, and all else may be said twice. */
  #call(batch: readonly Entry[]): Promise<readonly ReportAnswerRow[]> {
    return untilAnswered(async () => {
      const held = batch.filter(({ taken }) => !taken.task.lost)
      const lost = batch.filter(({ taken }) => taken.task.lost)
      const answers: ReportAnswerRow[] = lost.map(({ row }) => ({
        task_id: row.taskId,
        code: 'attempt_lost',
      }))
      if (held.length === 0) return answers
      const rows = held.map(({ row }) => row)
      return [...answers, ...(await reportTasks(this.#caller, this.#worker, rows))]
    })
  }
}

function divided(entries: readonly Entry[]): Entry[][] {
  const batches: Entry[][] = []
  let characters = Number.POSITIVE_INFINITY
  for (const entry of entries) {
    const batch = batches.at(-1)
    characters += entry.row.body.length
    if (batch !== undefined && batch.length < rowsPerCall && characters <= charactersPerCall)
      batch.push(entry)
    else {
      batches.push([entry])
      characters = entry.row.body.length
    }
  }
  return batches
}
