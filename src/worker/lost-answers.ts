// What to do when an answer that may have brought tasks was lost: the worker asks what it holds, begins that, and gives back what it can't.
import type { Caller } from '../db/call.ts'
import { type ClaimedTask, type HeldRow, listHeldTasks, releaseTasks, type WorkerKey } from '../db/tasks.ts'
import { Reconcile } from './reconcile.ts'
import type { Releases } from './releases.ts'
import type { Running } from './running.ts'
import type { ServedSteps } from './served-steps.ts'
import type { Slots } from './slots.ts'

export interface LostAnswersRoom {
  readonly caller: Caller
  readonly key: WorkerKey
  readonly slots: Slots
  readonly served: ServedSteps
  readonly running: () => Running
  /** Whether the worker stops: then it begins nothing, and all that it did not know of goes back. */
  readonly isStopping: () => boolean
  readonly releases: Releases
  /** Fires when the worker has left. */
  readonly ended: AbortSignal
  /** All is known again: look for more. */
  readonly asked: () => void
}

export class LostAnswers {
  readonly #room: LostAnswersRoom
  readonly #reconcile: Reconcile

  constructor(room: LostAnswersRoom) {
    this.#room = room
    this.#reconcile = new Reconcile(() => this.#ask(), room.ended)
  }

  /** An answer may have been lost: asks soon, and again later. */
  ask(): void {
    this.#reconcile.want()
  }

  /** A lost answer may have brought so many tasks. */
  doubt(tasks: number): void {
    this.#room.slots.doubt(tasks)
    this.#reconcile.want()
  }

  /**
   * Begins what it holds and does not know of: the answer that brought it was lost. What of that must not begin any more, or finds no slot
   * free, is given back. Asked only now: while the question was on its way, other answers may have come.
   */
  async #ask(): Promise<void> {
    const { caller, key, slots, ended, asked } = this.#room
    const { doubted } = slots
    const tasks = await listHeldTasks(caller, key)
    if (ended.aborted) return
    const running = this.#room.running()
    const isStopping = this.#room.isStopping()
    if (!isStopping) running.begin(tasks.filter(({ aborted }) => !aborted))
    slots.trust(doubted)
    const unbegun = tasks.filter((task) => running.neverBegins(task))
    if (isStopping) {
      this.#room.releases.add(unbegun.map(rowOf))
      return
    }
    const left = unbegun.filter(({ aborted }) => !aborted)
    const comesInBatches = ({ step_id: id }: ClaimedTask) => this.#room.served.byId.get(id)?.batched === true
    await this.#release(
      unbegun.filter(({ aborted }) => aborted),
      'its run ended before the worker knew of it',
    )
    await this.#release(left.filter(comesInBatches), 'the answer that brought its batch was lost')
    await this.#release(
      left.filter((task) => !comesInBatches(task)),
      'the worker had no slot free when it knew of it',
    )
    asked()
  }

  async #release(tasks: readonly ClaimedTask[], reason: string): Promise<void> {
    if (tasks.length === 0) return
    await releaseTasks(this.#room.caller, this.#room.key, tasks.map(rowOf), reason)
  }
}

function rowOf({ task_id: taskId, step_id: stepId, attempt }: ClaimedTask): HeldRow {
  return { taskId, stepId, attempt }
}
