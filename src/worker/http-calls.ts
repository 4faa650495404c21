// Requests to endpoints as durable operations: each can be completed later, from before it is sent.
import { durationMs } from '../core/duration.ts'
import { addressFault } from '../core/endpoint-address.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { openWaits, type WaitSpec } from '../db/waits.ts'
import type { WorkerKey } from '../db/tasks.ts'
import type { HttpRequest } from '../sdk/durable.ts'
import { retryTransaction } from '../db/transaction.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import { completionToken, postRequest, secretOf, tokenHash } from './http-request.ts'

export interface HttpCallParts {
  readonly caller: Caller
  readonly key: WorkerKey
  /** Milliseconds since 1970, for the timestamps of signatures. */
  readonly now: () => number
  readonly environment: NodeJS.ProcessEnv
}

type HttpWait = Extract<WaitSpec, { kind: 'http' }>

export class HttpCalls {
  readonly #parts: HttpCallParts

  constructor(parts: HttpCallParts) {
    this.#parts = parts
  }

  /**
   * Sends the request, with a token that is good already.
   *
   * @throws MillraceError http_failed, http_refused, config_variable_missing, duration_invalid, step_option_invalid, json_invalid, json_too_large
   */
  async post(
    task: HeldTask,
    { name, place }: { readonly name: string; readonly place: number },
    request: HttpRequest,
  ): Promise<{ readonly value: string } | { readonly wait: HttpWait }> {
    const { now, environment } = this.#parts
    const { run, step, item, attempt } = task
    checkAddress(request.url, name, step.name)
    const secret = secretOf(request.secret, environment)
    const ms = durationMs(request.timeout, `The timeout of request '${name}' in step '${step.name}'`)
    const idempotencyKey = `${run.id}:${step.name}${item < 0 ? '' : `:${item}`}:${name}`
    const token = completionToken(secret, idempotencyKey)
    const wait: HttpWait = { name, place, kind: 'http', ms, token: tokenHash(token) }
    await this.#open(task, wait)
    const asker = { runId: run.id, pipeline: step.slug, step: step.name, item, attempt, idempotencyKey }
    const answer = await postRequest(request, asker, {
      secret,
      token,
      nowMs: now(),
      abort: task.abort.signal,
      timeoutMs: ms,
    })
    return answer.kind === 'done' ? { value: answer.value } : { wait }
  }

  /** What the endpoint gave, at once or later. @throws MillraceError http_timeout */
  resultOf(stored: unknown, { url }: HttpRequest): unknown {
    const timedOut = typeof stored === 'object' && stored !== null && Reflect.get(stored, 'timedOut') === true
    if (!timedOut) return stored
    const { origin, pathname } = new URL(url)
    throw new MillraceError('http_timeout', `The endpoint ${origin}${pathname} did not answer in time.`, {
      fields: { url: `${origin}${pathname}` },
    })
  }

  async #open({ taskId, step, attempt }: HeldTask, wait: HttpWait): Promise<void> {
    const { caller, key } = this.#parts
    const row = { taskId, stepId: step.id, attempt, waits: [wait] }
    const lost = await retryTransaction(() => openWaits(caller, key, [row]))
    if (lost.length > 0) throw new AttemptAborted('the lease was lost')
  }
}

function checkAddress(url: unknown, name: string, step: string): void {
  const fault = addressFault(url)
  if (fault === undefined) return
  throw new MillraceError('step_option_invalid', `Request '${name}' of step '${step}' has ${fault}.`, {
    fields: { step, option: 'url' },
  })
}
