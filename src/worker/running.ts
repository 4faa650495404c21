// The tasks in hand: runs each to its outcome, reports it, and goes on with what comes next.
import type pg from 'pg'
import { type HandedTask, type HandedValue, handedTask } from '../db/handed-tasks.ts'
import type { ClaimedTask, CompleteAnswerRow, FailAnswerRow, WorkerKey } from '../db/tasks.ts'
import type { ParkAnswerRow } from '../db/waits.ts'
import type { HandedOver, LocalEnd } from '../sdk/local-worker.ts'
import { Abort } from './abort.ts'
import { Batch } from './batch.ts'
import { runBatch } from './batch-attempt.ts'
import { type AttemptRoom, failure, type Outcome, runAttempt } from './attempt.ts'
import type { Flush, StartedByParking } from './flush.ts'
import { BegunAttempts } from './begun-attempts.ts'
import { pause } from './connections.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import type { LeavingOutcome } from './leaving.ts'
import type { LogLines } from './log-lines.ts'
import type { OutputReader } from './outputs.ts'
import { completedRow, failedRow, heldRow } from './outcome-rows.ts'
import { patiently } from './patience.ts'
import { readSecrets } from './read-secrets.ts'
import { RememberedOutput, RunMemories } from './run-memory.ts'
import { RunWatchers } from './run-watchers.ts'
import type { ServedSteps } from './served-steps.ts'
import type { Slots } from './slots.ts'
import { cipherOf, nextInput, openTask } from './sealing.ts'
import { runTransaction } from './transaction-tries.ts'

export interface RunningParts {
  readonly served: ServedSteps
  readonly slots: Slots
  readonly outputs: OutputReader
  readonly logLines: LogLines
  readonly handlerPool: pg.Pool
  readonly key: WorkerKey
  readonly attemptRoom: AttemptRoom
  readonly leaseSeconds: number
  readonly random: () => number
  /** Milliseconds from a clock that never goes back. */
  readonly monotonic: () => number
  /** Ids of runs that go on in the place of others. */
  readonly newId: () => string
  /** A slot is free again. */
  readonly freed: () => void
  /** Something was made ready: look for it at once. */
  readonly found: () => void
  /** Fires when the worker has left. */
  readonly ended: AbortSignal
  /** The server has no room for a transaction at present: it is tried again. */
  readonly starved: (error: Error) => void
  /** An answer was lost that may have brought so many tasks: what the worker holds must be asked for. */
  readonly uncertain: (tasks: number) => void
}

/** Between two reports of a failure that the database refuses. */
const refusedMsMin = 100
const refusedMsMax = 5_000

export class Running {
  readonly #parts: RunningParts
  readonly #memories: RunMemories
  readonly #watchers = new RunWatchers()
  readonly #begun: BegunAttempts
  #closed = false
  #flush: Flush | undefined

  constructor(parts: RunningParts) {
    this.#parts = parts
    this.#memories = new RunMemories(parts.slots.size)
    this.#begun = new BegunAttempts(parts.monotonic)
  }

  /** How many attempts it has begun. */
  get begun(): number {
    return this.#begun.count
  }

  /** Outcomes go here. */
  reportTo(flush: Flush): void {
    this.#flush = flush
  }

  /** Begins nothing more: what an answer still brings is taken back from a worker that has left. */
  close(): void {
    this.#closed = true
  }

  /** Begins claimed tasks; those that it has begun already are left alone. */
  begin(tasks: readonly ClaimedTask[]): void {
    const begun: HeldTask[] = []
    this.#holdClaimed(begun, tasks)
    this.#run(begun)
  }

  /** Begins claimed batches, each with one call of its handler. */
  beginBatches(batches: ReadonlyArray<readonly ClaimedTask[]>): void {
    for (const tasks of batches) {
      const begun: HeldTask[] = []
      this.#holdClaimed(begun, tasks, new Batch())
      if (begun.length > 0) void this.#batchToOutcome(begun)
    }
  }

  /** What came of a batch without the others of it, in place of a lost answer, is left alone: it is given back. */
  #holdClaimed(begun: HeldTask[], tasks: ReadonlyArray<ClaimedTask | HandedTask>, batch?: Batch): void {
    for (const task of tasks) {
      const step = this.#parts.served.byId.get(task.step_id)
      if (step === undefined || (step.batched && batch === undefined)) continue
      const run = this.#memories.remember({
        id: task.run_id,
        input: task.input,
        isInputSealed: true,
        cipher: cipherOf(step, task.run_id),
        lastSteps: step.sealing?.lastSteps ?? [],
        tenant: task.tenant,
        key: task.key,
        headers: task.headers ?? {},
        startedAt: task.run_created_at,
      })
      this.#hold(begun, {
        step,
        run,
        taskId: task.task_id,
        item: task.item,
        itemValue: task.item_value,
        attempt: task.attempt,
        priority: task.priority,
        checkpoints: ('checkpoints' in task ? task.checkpoints : null) ?? undefined,
        batch,
      })
    }
  }

  /** Whether this attempt is not in hand; then it never will be, whatever answer still brings it. */
  neverBegins({ task_id: taskId, step_id: id, attempt }: ClaimedTask): boolean {
    const given = { taskId, step: { id }, attempt }
    if (this.#isInHand(given)) return false
    this.#begun.renew(given)
    return true
  }

  #isInHand({
    taskId,
    step,
    attempt,
  }: Pick<HeldTask, 'taskId' | 'attempt'> & { step: { id: number } }): boolean {
    const held = this.#parts.slots.get(taskId)
    return held !== undefined && held.step.id === step.id && held.attempt === attempt
  }

  /** Begins tasks that a start in this process handed over. */
  beginHandedOver(tasks: readonly HandedOver[]): void {
    const begun: HeldTask[] = []
    for (const task of tasks) {
      const step = this.#parts.served.byId.get(task.stepId)!
      const { runId: id, input, tenant, key, headers } = task
      const run = this.#memories.remember({
        id,
        input,
        isInputSealed: false,
        cipher: cipherOf(step, id),
        lastSteps: step.sealing?.lastSteps ?? [],
        tenant,
        key,
        headers: headers ?? {},
        startedAt: new Date(),
      })
      this.#hold(begun, {
        step,
        run,
        taskId: task.taskId,
        item: -1,
        itemValue: undefined,
        attempt: 1,
        priority: task.priority,
      })
    }
    this.#run(begun)
  }

  /** Calls back when a run that is in hand ends or leaves; undefined where none is. */
  watch(runId: string, ended: (end: LocalEnd) => void): (() => void) | undefined {
    const run = this.#memories.get(runId)
    return run === undefined || run.tasks === 0 ? undefined : this.#watchers.watch(runId, ended)
  }

  isWatched({ run }: HeldTask): boolean {
    return this.#watchers.isWatched(run.id)
  }

  /** Whether a step that parked here has called the task's run, and may wait for it. */
  isCalled({ run }: HeldTask): boolean {
    return this.#watchers.isCalled(run.id)
  }

  /** The database no longer counts this task as ours: its handler is told, and what it still does is not reported. */
  lose(task: HeldTask, reason: string): void {
    if (task.lost) return
    task.lost = true
    task.reported = false
    task.abort.abort(new AttemptAborted(reason))
    this.#release(task)
    this.#leaveRuns([task])
    this.#watchers.tell(task.run.id, null)
  }

  /** The run of this task is being ended: its handler is told, and how it ends is still reported. */
  abort(task: HeldTask, reason: string): void {
    task.abort.abort(new AttemptAborted(reason))
  }

  /** Completed tasks were answered: goes on with the next ones, for which so many slots were set aside beyond those of the tasks. */
  completed(tasks: readonly HeldTask[], answers: readonly CompleteAnswerRow[], reserved = 0): void {
    const byId = new Map(tasks.map((task) => [task.taskId, task]))
    const runs = new Map(tasks.map((task) => [task.run.id, task]))
    const lost = new Set(answers.filter(({ kind }) => kind === 'lost').map((answer) => answer.task_id))
    for (const task of tasks) {
      if (!lost.has(task.taskId)) this.#remember(task)
      this.#release(task)
    }
    const begun: HeldTask[] = []
    const woken = answers.filter(({ kind }) => kind === 'woken')
    this.#holdClaimed(
      begun,
      woken.map(({ output }) => handedTask(output as HandedValue)),
    )
    for (const answer of answers) {
      if (answer.kind !== 'next') continue
      // A chain's next step keeps its task's id; a branch's or a map's comes with its run.
      const before = answer.run_id === null ? byId.get(answer.task_id!) : runs.get(answer.run_id)
      if (before !== undefined) this.#holdNext(begun, answer, before)
    }
    this.#parts.slots.giveBack(reserved)
    for (const answer of answers) {
      if (answer.kind === 'ended') this.#ended(answer, woken.length > 0)
      else if (answer.kind === 'lost') this.#watchers.tell(byId.get(answer.task_id!)!.run.id, null)
    }
    this.#run(begun)
    this.#tellOfLeft(tasks)
    this.#leaveRuns(tasks)
    // Where a map or a branch has taken all that it could, more of it may be ready.
    const isMore =
      (begun.length >= tasks.length + reserved && tasks.some(({ step }) => step.spreads)) ||
      tasks.some(({ step }) => step.feedsBatch || step.batched)
    if (isMore) this.#parts.found()
    else this.#parts.freed()
  }

  /** A run that goes on elsewhere, or ended without its watcher being known, is asked about in the database. */
  #tellOfLeft(tasks: readonly HeldTask[]): void {
    if (this.#watchers.isEmpty) return
    for (const { run } of tasks) if (run.tasks === 0) this.#watchers.tell(run.id, null)
  }

  /** Once what comes next of them is in hand. */
  #leaveRuns(tasks: readonly HeldTask[]): void {
    for (const { run } of tasks) this.#memories.left(run)
  }

  /** Failed tasks were answered. */
  failed(tasks: readonly HeldTask[], answers: readonly FailAnswerRow[]): void {
    const retried = new Set(answers.filter(({ kind }) => kind === 'retry').map((answer) => answer.task_id))
    for (const task of tasks) {
      this.#release(task)
      if (!retried.has(task.taskId)) this.#watchers.tell(task.run.id, null)
    }
    this.#leaveRuns(tasks)
    this.#parts.freed()
  }

  /** Parked tasks were answered: their slots are free for called runs that came along, beside those that were set aside. */
  parked(
    tasks: readonly HeldTask[],
    answers: readonly ParkAnswerRow[],
    started: StartedByParking,
    reserved: number,
  ): void {
    for (const task of tasks) this.#release(task)
    for (const runId of started.called) this.#watchers.called(runId)
    const leased = answers.flatMap(({ claimed }) => (claimed === null ? [] : [claimed]))
    const begun: HeldTask[] = []
    this.#holdClaimed(begun, leased)
    this.#parts.slots.giveBack(reserved)
    for (const { kind, task_id } of answers) {
      if (kind === 'lost') this.#watchers.tell(tasks.find(({ taskId }) => taskId === task_id)!.run.id, null)
    }
    this.#run(begun)
    this.#leaveRuns(tasks)
    // What is called comes along all or none.
    if ((started.any && leased.length === 0) || answers.some(({ kind }) => kind === 'ready'))
      this.#parts.found()
    else this.#parts.freed()
  }

  /** Runs have ended and go on as others. */
  continued(tasks: readonly HeldTask[]): void {
    for (const task of tasks) {
      this.#release(task)
      this.#watchers.tell(task.run.id, null)
    }
    this.#leaveRuns(tasks)
    this.#parts.found()
  }

  /** The database refused an outcome by itself: the attempt fails with the reason, and is reported so until that is taken. */
  refused(task: HeldTask, error: unknown): void {
    // A worker that has left reports nothing more: whatever it sends is refused, at once and for ever.
    if (task.lost || this.#closed) return
    const wait = task.refusals === 0 ? 0 : Math.min(refusedMsMin * 2 ** task.refusals, refusedMsMax)
    task.refusals++
    void pause(wait, this.#parts.ended).then(() => this.#report(task, failure(task, error, false)))
  }

  #holdNext(begun: HeldTask[], answer: CompleteAnswerRow, before: HeldTask): void {
    const step = this.#parts.served.byId.get(answer.step_id!)
    if (step === undefined) {
      this.#parts.uncertain(0)
      return
    }
    this.#hold(begun, {
      step,
      run: before.run,
      taskId: answer.task_id!,
      item: answer.item ?? -1,
      itemValue: answer.item_value,
      attempt: answer.attempt!,
      priority: before.priority,
    })
  }

  /** Takes a slot for an attempt that is to begin. All that an answer brings are held before any of them runs. */
  #hold(
    begun: HeldTask[],
    given: Omit<
      HeldTask,
      'abort' | 'lost' | 'reported' | 'output' | 'logged' | 'refusals' | 'durable' | 'interrupt' | 'reports'
    >,
  ): void {
    if (this.#closed || this.#isInHand(given) || !this.#begun.add(given)) return
    const { slots } = this.#parts
    // Only answers that were lost can bring more than was set aside. It is asked for, and begun or given back then.
    const hasSlot = slots.get(given.taskId) !== undefined || (given.batch?.held ?? 0) > 0
    if (slots.isFull && !hasSlot) {
      this.#begun.take(given)
      this.#parts.uncertain(0)
      return
    }
    // Field by field: a spread costs more than all the rest of a step that does nothing.
    const task: HeldTask = {
      taskId: given.taskId,
      step: given.step,
      run: given.run,
      item: given.item,
      itemValue: given.itemValue,
      attempt: given.attempt,
      priority: given.priority,
      checkpoints: given.checkpoints,
      batch: given.batch,
      abort: new Abort(),
      lost: false,
      reported: false,
      output: undefined,
      logged: false,
      refusals: 0,
      durable: undefined,
      interrupt: undefined,
      reports: undefined,
    }
    slots.hold(task)
    begun.push(task)
  }

  #run(begun: readonly HeldTask[]): void {
    for (const task of begun) void this.#toOutcome(task)
  }

  /** What an item reads may be missing: that fails it alone. */
  async #batchToOutcome(tasks: readonly HeldTask[]): Promise<void> {
    const ready = await Promise.all(tasks.map((task) => this.#prepare(task)))
    const begun = tasks.filter((_, place) => ready[place])
    await runBatch(begun, this.#parts.attemptRoom, (task, outcome) => this.#report(task, outcome))
  }

  async #toOutcome(task: HeldTask): Promise<void> {
    // Most have all that they read in hand already, and need not ask.
    if (!(await (isPrepared(task) || this.#prepare(task)))) return
    if (task.step.tx) await this.#runTransaction(task)
    else this.#report(task, await runAttempt(task, this.#parts.attemptRoom))
  }

  /** Reads what its handler is given, where `isPrepared` does not find it in hand. False where that can't be had, which was reported. */
  async #prepare(task: HeldTask): Promise<boolean> {
    try {
      if (task.step.sealing !== undefined) openTask(task)
      if (task.step.reads.length > 0)
        await this.#patiently(task, () => this.#parts.outputs.ensure(task.run, task.step.reads))
      if (task.step.kind === 'undo' || task.step.kind === 'finally')
        await this.#patiently(task, async () => {
          const { run, step, item } = task
          run.outcome = await this.#parts.outputs.outcome(run)
          // What failed may be redriven, and give what it has not given yet: who reads of it then is to read it anew.
          if (run.outcome?.outcome !== 'completed') this.#memories.forget(run.id)
          if (step.undoes !== undefined && item >= 0)
            task.undone = await this.#parts.outputs.ofItem(run, step.undoes, item)
        })
    } catch (error) {
      this.#report(task, failure(task, error, false))
      return false
    }
    return true
  }

  #patiently<T>(task: HeldTask, work: () => Promise<T>): Promise<T> {
    return patiently(task, this.#parts.random, work)
  }

  async #runTransaction(task: HeldTask): Promise<void> {
    const { attemptRoom, handlerPool: pool, key, random, starved } = this.#parts
    const outcome = await runTransaction(task, {
      ...attemptRoom,
      pool,
      key,
      random,
      starved,
      watched: (watched) => this.isWatched(watched),
      called: (called) => this.isCalled(called),
      leaseSeconds: this.#parts.leaseSeconds,
      said: () => this.#said(task),
    })
    if (outcome.kind === 'failed' && outcome.uncertain) this.#parts.uncertain(1)
    if (task.lost) return
    if (outcome.kind === 'committed') {
      task.output = outcome.output
      this.completed([task], outcome.answers)
    } else this.#report(task, outcome)
  }

  #report(task: HeldTask, outcome: Outcome): void {
    if (task.lost) return
    if (!task.logged && task.reports === undefined) {
      this.#hand(task, outcome)
      return
    }
    const { storeStacks } = this.#parts.attemptRoom
    void this.#said(task).then((refused) => {
      if (refused === undefined || outcome.kind === 'failed') this.#hand(task, outcome)
      else this.#hand(task, failure(task, refused, storeStacks))
    })
  }

  /** When what the handler has said is stored; answers with what was refused of it. */
  async #said(task: HeldTask): Promise<Error | undefined> {
    if (task.logged) {
      task.logged = false
      await this.#parts.logLines.written()
    }
    return task.reports?.stored()
  }

  #hand(task: HeldTask, outcome: Outcome): void {
    if (task.lost) return
    task.reported = true
    if (outcome.kind === 'failed') this.#flush!.fail(task, failedRow(task, outcome, this.#parts.random()))
    else if (outcome.kind === 'parked' || outcome.kind === 'continued') this.#leave(task, outcome)
    else {
      task.output = outcome.kind === 'completed' ? outcome.output : null
      this.#flush!.complete(task, completedRow(task, outcome))
    }
  }

  #leave(task: HeldTask, outcome: LeavingOutcome): void {
    const row = heldRow(task)
    if (outcome.kind === 'parked')
      this.#flush!.park(task, { ...row, waits: readSecrets.redactValue(outcome.waits) })
    else {
      const runId = this.#parts.newId()
      this.#flush!.continue(task, { ...row, input: nextInput(task, runId, outcome.input), runId })
    }
    // What the handler still does is not waited for.
    task.abort.abort(new AttemptAborted('the step goes on later'))
  }

  /**
   * Only what is recorded: another attempt, or the fallback of the step, may give another output. And what is remembered stays, since
   * the steps that come next read it while they run.
   */
  #remember({ run, step, item, output }: HeldTask): void {
    if (item >= 0 || output === undefined) return
    run.outputs.set(step.name, output === null ? undefined : new RememberedOutput({ text: output }))
  }

  /** @param isTaken whether the steps that wait for these runs came along */
  #ended(answer: CompleteAnswerRow, isTaken: boolean): void {
    this.#watchers.tell(answer.run_id!, this.#endOf(answer))
    // Who called it and waits is ready now.
    if (this.#watchers.forgetCalled(answer.run_id!) && !isTaken) this.#parts.found()
    this.#memories.forget(answer.run_id!)
  }

  /** What can't be decrypted here is asked about in the database, and fails there. */
  #endOf({ run_id: runId, output }: CompleteAnswerRow): LocalEnd {
    const run = this.#memories.get(runId!)
    if (run?.cipher === undefined) return { output }
    try {
      return { output: run.cipher.openRunOutput(run.lastSteps, output) }
    } catch {
      return null
    }
  }

  /** What lists it as held may still be under way: it was asked on another connection. */
  #release(task: HeldTask): void {
    this.#parts.slots.release(task)
    this.#begun.renew(task)
  }
}

/** Whether `#prepare` would find nothing to do: nothing that the handler is given is still to be read or opened. */
function isPrepared({ step, run }: HeldTask): boolean {
  if (step.sealing !== undefined || step.kind === 'undo' || step.kind === 'finally') return false
  return step.reads.every((name) => run.outputs.has(name))
}
