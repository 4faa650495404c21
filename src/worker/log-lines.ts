// The log lines of handlers: gathered, and written once a turn in one call. A line is never worth failing a step for.
import { checkJson } from '../core/json.ts'
import type { Caller } from '../db/call.ts'
import { type LogRow, logTasks } from '../db/history.ts'
import type { WorkerKey } from '../db/tasks.ts'
import type { HeldTask } from './held-task.ts'

const linesKept = 10_000
const linesPerCall = 1_000

export class LogLines {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  #lines: LogRow[] = []
  #writing: Promise<void> = Promise.resolve()

  constructor(caller: Caller, worker: WorkerKey) {
    this.#caller = caller
    this.#worker = worker
  }

  add(task: HeldTask, message: string, fields: Readonly<Record<string, unknown>>): void {
    if (task.lost || this.#lines.length >= linesKept) return
    task.logged = true
    this.#lines.push({
      taskId: task.taskId,
      stepId: task.step.id,
      attempt: task.attempt,
      message: String(message).slice(0, 4_000).replaceAll('\u0000', '\ufffd'),
      fields: storable(fields),
    })
    if (this.#lines.length === 1) this.#writing = this.#writing.then(() => this.#write())
  }

  /** When the lines so far are written: before a step's outcome, after which its attempt holds nothing any more. */
  written(): Promise<void> {
    return this.#writing
  }

  async #write(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    const lines = this.#lines
    this.#lines = []
    for (let from = 0; from < lines.length; from += linesPerCall) {
      await logTasks(this.#caller, this.#worker, lines.slice(from, from + linesPerCall)).catch(() => {})
    }
  }
}

function storable(fields: Readonly<Record<string, unknown>>): string {
  try {
    return checkJson(fields, { what: 'the fields of a log line', maxBytes: 16_384 })
  } catch (error) {
    return JSON.stringify({ leftOut: (error as Error).message.slice(0, 500) })
  }
}
