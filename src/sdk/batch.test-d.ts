// Type claims about batches: what the handler is given, what it may answer, and what the steps after it see; the compiler is the test.
import { z } from 'zod'
import type { Equal, Expect } from '../../test/type-claim.ts'
import type { EachOf } from './batch.ts'
import { pipeline } from './pipeline.ts'
import type { PipelineOutput } from './startable.ts'

function is<Expected>() {
  return <Found>(
    _value: Found,
    ..._claim: Equal<Found, Expected> extends true ? [] : [{ found: Found }]
  ): void => {}
}

const input = z.object({ to: z.string(), account: z.object({ id: z.number() }) })

// Each item has the input and the outputs of its own run; an error in the place of an output is none.
const mails = pipeline('mails', { input })
  .step('text', ({ input: { to } }) => `Hello ${to}`)
  .batch('mail', { size: 100, within: '5s', key: 'account.id' }, async ({ items, secret, abort }) => {
    is<string>()(await secret('MAIL_KEY'))
    is<AbortSignal>()(abort)
    for (const item of items) {
      is<string>()(item.input.to)
      is<string>()(item.steps.text)
      is<number>()(item.attempt)
      is<AbortSignal>()(item.abort)
      // @ts-expect-error an item of no map has no item
      void item.item
      // @ts-expect-error a batch waits for nothing on the way
      void item.durable
    }
    return items.map((item, place) => (place > 0 ? { sent: item.input.to } : new Error('bounced')))
  })
  .step('log', ({ steps }) => {
    is<{ sent: string }>()(steps.mail)
    return steps.mail.sent
  })
export type MailsClaim = Expect<Equal<PipelineOutput<typeof mails>, string>>

// A value that has a name and a message is no error.
interface Named {
  name: string
  message: string
}
export type NamedClaim = Expect<Equal<EachOf<Array<Named | TypeError>>, Named>>

// A map in batches gives a list; with failAfter, one with gaps. A fallback stands beside the output.
const sizes = pipeline('sizes', { input })
  .step('list', () => ['a', 'b'])
  .batch('size', { over: 'list', size: 50, within: '1s', key: ['$item', '$tenant'] }, ({ items }) =>
    items.map(({ item, index }) => {
      is<string>()(item)
      return item.length + index
    }),
  )
  .batch('gaps', { over: 'size', size: 50, within: '1s', failAfter: '5%' }, ({ items }) =>
    items.map(({ item, steps }) => {
      is<number>()(item)
      is<number[]>()(steps.size)
      return String(item)
    }),
  )
  .batch(
    'sum',
    { size: 2, within: '1s', onError: { fallback: 0 }, key: ({ tenant }) => tenant },
    ({ items }) =>
      items.map(({ steps }) => {
        is<(string | undefined)[]>()(steps.gaps)
        return true
      }),
  )
export type SizesClaim = Expect<Equal<PipelineOutput<typeof sizes>, number | boolean>>

// With a schema the answers are what it takes, and the outputs what it makes of them.
const checked = pipeline('checked').batch(
  'each',
  { size: 2, within: '1s', output: z.object({ at: z.coerce.date() }) },
  ({ items }) => items.map(() => ({ at: '2030-01-01' })),
)
export type CheckedClaim = Expect<Equal<PipelineOutput<typeof checked>, { at: string }>>

pipeline('refused')
  // @ts-expect-error a batch answers with a list
  .batch('no-list', { size: 2, within: '1s' }, () => 'one')

pipeline('refused')
  // @ts-expect-error a batch has a size
  .batch('no-size', { within: '1s' }, ({ items }) => items.map(() => 1))

pipeline('refused')
  // @ts-expect-error a batch is no transaction
  .batch('in-tx', { size: 2, within: '1s', tx: true }, ({ items }: { items: unknown[] }) =>
    items.map(() => 1),
  )

pipeline('refused')
  // @ts-expect-error no rule counts the tasks of a batch
  .batch('limited', { size: 2, within: '1s', limit: [] }, ({ items }: { items: unknown[] }) =>
    items.map(() => 1),
  )

pipeline('refused')
  .step('one', () => 1)
  // @ts-expect-error 'one' is not a list
  .batch('over', { over: 'one', size: 2, within: '1s' }, ({ items }: { items: unknown[] }) =>
    items.map(() => 1),
  )
