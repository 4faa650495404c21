// Where a worker looks for tasks: each handler at each priority, with the last position seen there.
import type { ClaimedTask, Lanes } from '../db/tasks.ts'

const fullLookEveryMs = 1_000
const priorities = [1, 2, 3, 4, 5, 6, 7, 8, 9]

export class LanePositions {
  readonly #handlers: readonly number[]
  readonly #positions = new Map<string, number>()
  #lookedFullyAt = Number.NEGATIVE_INFINITY

  constructor(handlerIds: readonly number[]) {
    this.#handlers = handlerIds
  }

  /**
   * All lanes, from the last position seen; from their beginning, which is -1, once a second, or when asked to look fully. A full look also reads the
   * dead entries that somebody's long transaction keeps, so it is not made more often than it is needed. It brings first who was called from
   * where it waited for a limit, so its tasks tell nothing of what lies before them.
   */
  lanes(nowMs: number, fully = false): Lanes & { readonly full: boolean } {
    const full = fully || nowMs - this.#lookedFullyAt >= fullLookEveryMs
    if (full) this.#lookedFullyAt = nowMs
    const lanes = { handlers: [] as number[], priorities: [] as number[], positions: [] as number[], full }
    for (const handler of this.#handlers) {
      for (const priority of priorities) {
        lanes.handlers.push(handler)
        lanes.priorities.push(priority)
        lanes.positions.push(full ? -1 : (this.#positions.get(`${handler} ${priority}`) ?? 0))
      }
    }
    return lanes
  }

  /** Notes how far a claim has come that was no full look. */
  saw(tasks: readonly ClaimedTask[], full: boolean): void {
    if (full) return
    for (const { handler, priority, task_id: taskId } of tasks) {
      const lane = `${handler} ${priority}`
      if (taskId > (this.#positions.get(lane) ?? 0)) this.#positions.set(lane, taskId)
    }
  }
}
