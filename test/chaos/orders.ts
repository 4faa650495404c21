// What the nemesis orders a worker. Its steps: to stop, or to end, the process exactly where a handler has ended, and to stay with a task that was
// taken over. By it, what the one before still writes meets the one that holds the task now.
import { setTimeout as pause } from 'node:timers/promises'

/** One attempt, as the nemesis knows it. */
export interface EndedAttempt {
  readonly run: string
  readonly step: string
  readonly attempt: number
}

export type Order =
  | {
      readonly kind: 'end'
      /** Undefined takes the order back. */
      readonly signal: 'SIGSTOP' | 'SIGKILL' | undefined
      /** Which handlers count: those that fail, or those that give something. */
      readonly failing: boolean
    }
  | { readonly kind: 'stay'; readonly run: string; readonly step: string }
  | { readonly kind: 'block'; readonly ms: number }
  | { readonly kind: 'eat' }
  | { readonly kind: 'measure' }

type StepOrder = Extract<Order, { readonly kind: 'end' | 'stay' }>

/** What a worker says just before the signal. */
export interface EndMessage extends EndedAttempt {
  readonly kind: 'at its end'
}

interface Attempt {
  readonly run: { readonly id: string }
  readonly step: string
  readonly attempt: number
}

const stayMs = 1_500
const staysMax = 100

let ordered: Extract<Order, { readonly kind: 'end' }> | undefined
const stays = new Set<string>()

export function heedOrder(order: StepOrder): void {
  if (order.kind === 'end') {
    ordered = order
    return
  }
  // What never comes here is forgotten at last.
  if (stays.size >= staysMax) stays.clear()
  stays.add(`${order.run} ${order.step}`)
}

/** At the beginning of a handler: undefined where nobody wants it to stay. */
export function stay({ run, step }: Attempt): Promise<void> | undefined {
  return stays.size > 0 && stays.delete(`${run.id} ${step}`) ? pause(stayMs) : undefined
}

/** At the end of a handler: nobody has been told yet whether it fails, or what it gives. */
export function atItsEnd({ run, step, attempt }: Attempt, failing = false): void {
  if (ordered?.signal === undefined || ordered.failing !== failing) return
  const { signal } = ordered
  ordered = undefined
  const message: EndMessage = { kind: 'at its end', run: run.id, step, attempt }
  process.send?.(message)
  process.kill(process.pid, signal)
}
