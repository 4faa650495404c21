// The log lines of handlers: gathered, and written once a turn in one call. A line is never worth failing a step for, and none goes silently.
import { checkJson } from '../core/json.ts'
import { count, grouped, oneLine } from '../core/wording.ts'
import type { Caller } from '../db/call.ts'
import { type LogRow, logTasks } from '../db/history.ts'
import type { WorkerKey } from '../db/tasks.ts'
import type { HeldTask } from './held-task.ts'
import { readSecrets } from './read-secrets.ts'
import { TurnBatches, untilAnswered } from './turn-batches.ts'

/** So much waits at most; what comes on top is counted, and the number stands in its place. */
const linesKept = 10_000
const charactersKept = 8_388_608
const linesPerCall = 1_000
const messageMax = 4_000

interface Line {
  readonly task: HeldTask
  readonly row: LogRow
}

export class LogLines {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #batches = new TurnBatches<Line>((lines) => this.#write(lines))
  #characters = 0
  #dropped = new Map<HeldTask, number>()

  constructor(caller: Caller, worker: WorkerKey) {
    this.#caller = caller
    this.#worker = worker
  }

  add(task: HeldTask, message: string, fields: Readonly<Record<string, unknown>>): void {
    if (task.lost) return
    task.logged = true
    if (this.#batches.size >= linesKept || this.#characters >= charactersKept) {
      this.#dropped.set(task, (this.#dropped.get(task) ?? 0) + 1)
      return
    }
    const line = lineOf(
      task,
      readSecrets.redact(String(message)),
      sealed(task, readSecrets.redactJson(storable(fields))),
    )
    this.#batches.add(line)
    this.#characters += line.row.message.length + line.row.fields.length
  }

  /** When the lines so far are written: before a step's outcome, after which its attempt holds nothing any more. */
  written(): Promise<void> {
    return this.#batches.written()
  }

  async #write(kept: readonly Line[]): Promise<void> {
    // What was dropped came after everything that was kept.
    const lines = [...kept, ...marks(this.#dropped, `${bound()} were waiting to be written`)]
    this.#characters = 0
    this.#dropped = new Map()
    for (let from = 0; from < lines.length; from += linesPerCall)
      await this.#store(lines.slice(from, from + linesPerCall))
  }

  /** Lines that the database refuses by themselves are counted, and the number stands in their place. */
  async #store(lines: readonly Line[]): Promise<void> {
    const refusal = await this.#send(lines)
    if (refusal === undefined) return
    const byTask = new Map<HeldTask, Line[]>()
    for (const line of lines) byTask.set(line.task, [...(byTask.get(line.task) ?? []), line])
    // Sent again task by task: the one whose line is bad costs no other task its lines.
    if (byTask.size > 1) {
      for (const own of byTask.values()) await this.#store(own)
      return
    }
    const refused = new Map([...byTask].map(([task, own]) => [task, own.length]))
    // Where even that is refused, so is the outcome of the step, and the worker's own log says why.
    await this.#send(marks(refused, `the database refused them: ${oneLine(refusal.message)}`))
  }

  /**
   * Answers with the error of a database that refuses. One that is away is waited for, as the outcomes are that follow: a line may
   * so be written twice, where an answer was lost, but none is missing.
   */
  async #send(lines: readonly Line[]): Promise<Error | undefined> {
    try {
      await untilAnswered(async () => {
        // What an attempt says that lost its task is not kept, here as there.
        const rows = lines.filter(({ task }) => !task.lost).map(({ row }) => row)
        if (rows.length > 0) await logTasks(this.#caller, this.#worker, rows)
      })
      return undefined
    } catch (error) {
      return error as Error
    }
  }
}

function bound(): string {
  return `${grouped(linesKept)} lines or ${charactersKept / 1_048_576} MB`
}

/** A line for each task in the place of those that it lost. */
function marks(lost: ReadonlyMap<HeldTask, number>, reason: string): Line[] {
  return [...lost].map(([task, dropped]) => {
    const message = `${count(dropped, 'log line was', 'log lines were')} dropped here: ${reason}`
    return lineOf(task, message, JSON.stringify({ dropped }))
  })
}

function lineOf(task: HeldTask, message: string, fields: string): Line {
  const said = message.length > messageMax ? `${message.slice(0, messageMax - 1)}…` : message
  return {
    task,
    row: {
      taskId: task.taskId,
      stepId: task.step.id,
      attempt: task.attempt,
      message: said.replaceAll('\u0000', '\ufffd'),
      fields,
    },
  }
}

/** What a line of an encrypted pipeline carries is encrypted; its message is for people, and stays as it is. */
function sealed({ run, step, item }: HeldTask, fields: string): string {
  return fields === '{}' || run.cipher === undefined
    ? fields
    : run.cipher.seal('log', step.name, item, fields)
}

function storable(fields: Readonly<Record<string, unknown>>): string {
  try {
    return checkJson(fields, { what: 'the fields of a log line', maxBytes: 16_384, emptied: true })
  } catch (error) {
    return JSON.stringify({ leftOut: (error as Error).message.slice(0, 500) })
  }
}
