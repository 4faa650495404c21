// The cache as attempts use it: a value is looked up, waited for where another attempt computes it, or computed under a claim. What several attempts
// ask in one turn is one call.
import { AsyncLocalStorage } from 'node:async_hooks'
import { cacheKeyText, checkCacheScope } from '../core/cache-key.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import {
  dropCacheClaims,
  type LookUpAnswer,
  lookUpCache,
  type LookUpRow,
  storeCache,
  type StoredRow,
} from '../db/cache.ts'
import type { Caller } from '../db/call.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { type CacheOptions, lifetimeOf } from '../sdk/cache.ts'
import type { HandlerContext } from '../sdk/context.ts'
import { AttemptAborted, type HeldTask, throwIfAborted } from './held-task.ts'
import { isUnderLock } from './locks.ts'
import { readSecrets } from './read-secrets.ts'
import { refuseSecrets } from './secret-names.ts'
import { TurnBatches, untilAnswered } from './turn-batches.ts'
import type { Wakes } from './wakes.ts'

const rowsPerCall = 500
/** So many keys of an attempt stand in the account; a loop over a million would drown it. */
const keysTold = 100

interface Entry<Row, Answer> {
  readonly task: HeldTask
  readonly row: Row
  readonly answered: (answer: Answer) => void
  readonly failed: (error: unknown) => void
}

interface Wanted {
  readonly scope: string
  readonly key: string
  readonly lifetimeMs: number
}

/** The values that this line of a handler is computing: they wait for no other. */
const computing = new AsyncLocalStorage<ReadonlySet<string>>()

export class WorkerCache {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #wakes: Wakes
  readonly #lookUps = new TurnBatches<Entry<LookUpRow, LookUpAnswer>>((entries) =>
    inParts(entries, (rows) => this.#lookUp(rows)),
  )
  readonly #stores = new TurnBatches<Entry<StoredRow, void>>((entries) =>
    inParts(entries, (rows) => this.#store(rows)),
  )
  /** The claims under which something is being computed here. */
  readonly #underWay = new Set<number>()
  readonly #told = new WeakMap<HeldTask, Set<string>>()

  constructor(caller: Caller, worker: WorkerKey, wakes: Wakes) {
    this.#caller = caller
    this.#worker = worker
    this.#wakes = wakes
  }

  /** What a handler asks for by context.cache. */
  async get(task: HeldTask, key: unknown, options: CacheOptions, work: () => unknown): Promise<unknown> {
    if (task.step.tx) {
      throw new MillraceError(
        'cache_in_transaction',
        `Step '${task.step.name}' is a transaction, and used the cache in it.`,
      )
    }
    const what = `The cache key of step '${task.step.name}'`
    refuseSecrets(what, key)
    return this.#through(task, work, {
      scope: checkCacheScope(options.scope ?? task.step.slug),
      key: cacheKeyText(key, what),
      lifetimeMs: lifetimeOf(options.ttl, `The ttl of a cached value of step '${task.step.name}'`),
    })
  }

  /** The output of a step that says by `cache` how it is kept. */
  async output(task: HeldTask, context: HandlerContext, work: () => unknown): Promise<unknown> {
    const { name, slug, handler } = task.step
    const { keyOf, lifetimeMs, scope } = handler.cache!
    const what = `The cache key of step '${name}'`
    const key = await keyOf(context)
    refuseSecrets(what, key)
    return this.#through(task, work, {
      scope: scope ?? `${slug}/${name}`,
      key: cacheKeyText(key, what),
      lifetimeMs,
    })
  }

  async #through(task: HeldTask, work: () => unknown, wanted: Wanted): Promise<unknown> {
    const inside = computing.getStore()
    const name = `${wanted.scope} ${wanted.key}`
    if (inside?.has(name)) {
      throw new MillraceError(
        'cache_key_nested',
        `Step '${task.step.name}' asks for the cached value '${wanted.key}' while it computes it.`,
      )
    }
    const compute = async () => computing.run(new Set(inside).add(name), work)
    let unheard: number | null = null
    for (let looks = 0, waits: number | null = null; ; looks++) {
      throwIfAborted(task)
      const { kind, value, claim_id } = await this.#ask(task, wanted, waits)
      if (kind === 'hit') return value
      if (kind === 'computing') return this.#compute(task, compute, wanted, claim_id!)
      if (kind === 'own' && !this.#underWay.has(claim_id!)) {
        // Of a claim that nobody here computes under the answer was lost; unless it just ended, which the next look tells.
        if (unheard === claim_id) return this.#compute(task, compute, wanted, claim_id!)
        unheard = claim_id
        continue
      }
      if (kind === 'lost') throw new AttemptAborted('the lease was lost')
      if (kind === 'encrypted') throw notEncryptable(task)
      // Who computes one value, or holds a lock, never waits for another: so nobody waits in a circle, though a value may be computed twice.
      if (inside !== undefined || isUnderLock()) return JSON.parse(valueText(task, await compute()))
      waits = claim_id
      await this.#wakes.next(`cache ${claim_id}`, looks, task.abort.signal)
    }
  }

  async #compute(
    task: HeldTask,
    compute: () => Promise<unknown>,
    { lifetimeMs }: Wanted,
    claimId: number,
  ): Promise<unknown> {
    this.#underWay.add(claimId)
    try {
      const value = valueText(task, await compute())
      await this.#add(this.#stores, task, { claimId, value: readSecrets.redactJson(value), lifetimeMs })
      return JSON.parse(value)
    } catch (error) {
      // Errors are not kept: who waits computes it now.
      await untilAnswered(async () => {
        if (!task.lost) await dropCacheClaims(this.#caller, this.#worker, [claimId])
      }).catch(() => {})
      throw error
    } finally {
      this.#underWay.delete(claimId)
    }
  }

  async #ask(task: HeldTask, { scope, key }: Wanted, waits: number | null): Promise<LookUpAnswer> {
    const { taskId, step, attempt } = task
    const told = this.#toldOf(task)
    const name = `${scope} ${key}`
    const tells = told.size < keysTold && !told.has(name)
    const row = { taskId, stepId: step.id, attempt, scope, key, waits, told: tells }
    const answer = await this.#add(this.#lookUps, task, row)
    if (tells && (answer.kind === 'hit' || answer.kind === 'computing')) told.add(name)
    return answer
  }

  #toldOf(task: HeldTask): Set<string> {
    const told = this.#told.get(task) ?? new Set()
    this.#told.set(task, told)
    return told
  }

  #add<Row, Answer>(batches: TurnBatches<Entry<Row, Answer>>, task: HeldTask, row: Row): Promise<Answer> {
    return new Promise((answered, failed) => batches.add({ task, row, answered, failed }))
  }

  async #lookUp(rows: readonly LookUpRow[]): Promise<LookUpAnswer[]> {
    const answers = await lookUpCache(this.#caller, this.#worker, rows)
    return answers.sort((left, right) => left.place - right.place)
  }

  async #store(rows: readonly StoredRow[]): Promise<void[]> {
    await storeCache(this.#caller, this.#worker, rows)
    return rows.map(() => undefined)
  }
}

/** Sends a batch in calls of a bounded size; one that is refused is sent again row by row, so that it fails for its own row alone. */
async function inParts<Row, Answer>(
  entries: ReadonlyArray<Entry<Row, Answer>>,
  call: (rows: readonly Row[]) => Promise<readonly Answer[]>,
): Promise<void> {
  for (let from = 0; from < entries.length; from += rowsPerCall) {
    const part = entries.slice(from, from + rowsPerCall)
    for (const { task, failed } of part) if (task.lost) failed(task.abort.reason)
    const held = part.filter(({ task }) => !task.lost)
    if (held.length === 0) continue
    try {
      const answers = await untilAnswered(() => call(held.map(({ row }) => row)))
      for (const [index, { answered }] of held.entries()) answered(answers[index]!)
    } catch (error) {
      if (held.length === 1) held[0]!.failed(error)
      else for (const entry of held) await inParts([entry], call)
    }
  }
}

function valueText({ step }: HeldTask, value: unknown): string {
  return checkJson(value, { what: `a cached value of step '${step.name}'` })
}

function notEncryptable({ step }: HeldTask): MillraceError {
  return new MillraceError(
    'not_encryptable',
    `The pipeline '${step.slug}' is encrypted, and values are cached as they are.`,
    { fields: { pipeline: step.slug, step: step.name } },
  )
}
