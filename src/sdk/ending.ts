// Owns what follows the outcome of a run, as authors write it: .undo(), .onFailure() and .onSuccess(), and what their handlers are given.
import type { StepContext, TransactionStepContext } from './context.ts'
import type { LimitedOptions, SharedOptions } from './step-options.ts'

/** Why a run failed, as its account tells it. */
export interface RunFailure {
  readonly code?: string
  readonly message?: string
  /** The step that failed, and its item where it is a map. */
  readonly step?: string
  readonly item?: number
}

export interface EndingOptions<Tx extends boolean> extends SharedOptions, LimitedOptions {
  /** Whether handler, output and fence check share one transaction. */
  readonly tx?: Tx
  /** Without `tx`: whether its `sql` may write, each statement by itself, and repeatably. */
  readonly writes?: boolean
}

type AttemptOf<Input, Steps, Tx> = Tx extends true
  ? TransactionStepContext<Input, Steps>
  : StepContext<Input, Steps>

/** What undoes a step is given: what that step gave, and why it is undone. Of a map it is one item, as the map's handler had it. */
export type UndoContext<Input, Steps, Undone extends UndoneStep, Tx> = AttemptOf<Input, Steps, Tx> & {
  readonly outcome: 'failed' | 'cancelled'
  /** Null where the run was cancelled. */
  readonly error: RunFailure | null
} & ([Undone['each']] extends [never]
    ? { readonly output: Undone['output'] }
    : { readonly output: Undone['each']; readonly item: unknown; readonly index: number })

/** What the compiler knows of a step that can be undone. */
interface UndoneStep {
  readonly output: unknown
  /** Of a map: what one item gives. */
  readonly each: unknown
}

export type FailureContext<Input, Steps, Tx> = AttemptOf<Input, SoFar<Steps>, Tx> & {
  readonly error: RunFailure
}

export type SuccessContext<Input, Steps, Tx> = AttemptOf<Input, Steps, Tx>

/** The outputs when a run failed: of each step what there is. A list may be that of a map which did not come to its end. */
type SoFar<Steps> = {
  readonly [Name in keyof Steps]:
    | (Steps[Name] extends ReadonlyArray<infer Item> ? (Item | undefined)[] : Steps[Name])
    | undefined
}

/** The names under which they stand in the graph and in the account. */
export const onFailureName = 'on-failure'
export const onSuccessName = 'on-success'
export const undoName = (step: string): string => `undo-${step}`
