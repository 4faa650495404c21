// Type claims about .undo(), .onFailure() and .onSuccess(); the compiler is the test.
import type { PoolClient } from 'pg'
import { z } from 'zod'
import type { Equal, Expect } from '../../test/type-claim.ts'
import type { RunFailure } from './ending.ts'
import { pipeline } from './pipeline.ts'
import type { PipelineOutput } from './startable.ts'

function is<Expected>() {
  return <Found>(
    _value: Found,
    ..._claim: Equal<Found, Expected> extends true ? [] : [{ found: Found }]
  ): void => {}
}

const order = pipeline('order', { input: z.object({ id: z.number() }) })
  .step('book', () => ({ booking: 'b' }))
  .undo(({ output, input, outcome, error, steps }) => {
    is<{ booking: string }>()(output)
    is<{ id: number }>()(input)
    is<'failed' | 'cancelled'>()(outcome)
    is<RunFailure | null>()(error)
    is<{}>()(steps)
  })
  .step('items', () => ['a'])
  .map('charge', { over: 'items' }, ({ item }) => ({ charged: item.length }))
  .undo({ tx: true, retry: { attempts: 10 } }, ({ output, index, tx, steps }) => {
    is<{ charged: number }>()(output)
    is<number>()(index)
    is<PoolClient>()(tx)
    is<{ booking: string }>()(steps.book)
    is<string[]>()(steps.items)
  })
  .step('ship', { onError: 'skip' }, ({ steps }) => steps.charge.length)
  .onFailure(({ error, steps }) => {
    is<RunFailure>()(error)
    is<{ booking: string } | undefined>()(steps.book)
    is<({ charged: number } | undefined)[] | undefined>()(steps.charge)
    is<number | undefined>()(steps.ship)
  })
  .onSuccess({ timeout: '1m' }, ({ steps }) => {
    is<{ charged: number }[]>()(steps.charge)
    is<number | undefined>()(steps.ship)
  })
// What follows the outcome changes nothing of what the run gives.
export type OrderClaim = Expect<Equal<PipelineOutput<typeof order>, number | null>>

const base = pipeline('p').step('a', () => 1)
// @ts-expect-error what undoes a plain step has no item
base.undo(({ index }) => index)
// @ts-expect-error a condition belongs to a step
base.undo({ when: () => true }, () => 1)
// @ts-expect-error what follows the outcome comes after no other
base.onFailure({ after: 'a' }, () => 1)
const undone = base.undo(() => 1)
// @ts-expect-error no other step sees it
undone.step('b', { after: 'undo-a' }, () => 1)
