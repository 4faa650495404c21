// A worker that is nothing but its calls: one claim, one completion at a time, to be measured by themselves.
import type pg from 'pg'
import { randomUUID } from 'node:crypto'
import {
  claimTasks,
  completeTasks,
  failTasks,
  LanePositions,
  poolCaller,
  registerPipeline,
  registerWorker,
} from './product.ts'
import type { PipelineDefinition } from './product.ts'

type Caller = ReturnType<typeof poolCaller>
type WorkerKey = Parameters<typeof claimTasks>[1]
type Lanes = InstanceType<typeof LanePositions>
type Claimed = Awaited<ReturnType<typeof claimTasks>>

export class BareWorker {
  readonly #caller: Caller
  readonly #key: WorkerKey
  readonly #lanes: Lanes

  private constructor(caller: Caller, key: WorkerKey, lanes: Lanes) {
    this.#caller = caller
    this.#key = key
    this.#lanes = lanes
  }

  /** Its lease is an hour: it makes no heartbeats. */
  static async register(pool: pg.Pool, pipeline: PipelineDefinition): Promise<BareWorker> {
    const caller = poolCaller(pool, { prepare: true, database: 'the database of the benchmark' })
    const { steps } = await registerPipeline(caller, pipeline.slug, pipeline.graph)
    const handlers = [...new Set(steps.map(({ handler }) => handler))]
    const workerId = randomUUID()
    const lockKey = await registerWorker(caller, {
      workerId,
      name: 'bench',
      host: 'bench',
      processId: process.pid,
      version: '0',
      slots: 1_000,
      queues: [],
      handlers,
      leaseSeconds: 3_600,
      machine: null,
    })
    return new BareWorker(caller, { workerId, lockKey }, new LanePositions(handlers))
  }

  /** A claim as the loop of a worker makes it: from the last position seen, or a full look. Time stands still: only the first look is full by itself. */
  async claim(room: number, fullLook: boolean): Promise<Claimed> {
    const look = this.#lanes.lanes(0, fullLook)
    const tasks = await claimTasks(this.#caller, this.#key, room, look)
    this.#lanes.saw(tasks, look.full)
    return tasks
  }

  /** Fails them for good. */
  async fail(tasks: Claimed): Promise<void> {
    const rows = tasks.map(({ task_id: taskId, step_id: stepId, attempt }) => ({
      taskId,
      stepId,
      attempt,
      error: '{"code": "broken", "message": "It is measured.", "retryable": false}',
      random: 0.5,
      retryDelayMs: null,
    }))
    await failTasks(this.#caller, this.#key, rows)
  }

  async complete(tasks: Claimed): Promise<void> {
    const rows = tasks.map(({ task_id: taskId, step_id: stepId, attempt }) => ({
      taskId,
      stepId,
      attempt,
      output: '{"ok":1}',
      skipReason: null,
      writes: null,
      watched: false,
    }))
    await completeTasks(this.#caller, this.#key, rows, {
      room: 0,
      leastUrgent: 5,
      transactional: false,
      wakes: false,
    })
  }
}
