// Type claims about the steps that Millrace brings, and about `durable`: what is inferred, and what is refused; the compiler is the test.
import { z } from 'zod'
import type { Equal, Expect } from '../../test/type-claim.ts'
import type { Decision, Signal, TimedOut } from './durable.ts'
import { pipeline } from './pipeline.ts'
import type { PipelineOutput } from './startable.ts'

function is<Expected>() {
  return <Found>(
    _value: Found,
    ..._claim: Equal<Found, Expected> extends true ? [] : [{ found: Found }]
  ): void => {}
}

const child = pipeline('child', { input: z.object({ id: z.number(), at: z.date().optional() }) }).step(
  'work',
  ({ input }) => ({ name: String(input.id), made: new Date() }),
)

const all = pipeline('all', { input: z.object({ id: z.number() }) })
  .step('first', () => ({ until: new Date() }))
  .sleep('nap', '3d')
  .sleep('until', { until: ({ steps }) => steps.first.until, when: ({ input }) => input.id > 3 })
  .signal('paid', {
    payload: z.object({ amount: z.number(), at: z.date() }),
    match: ({ input }) => ({ id: input.id }),
  })
  .signal('shipped', { signal: { any: ['shipped', 'lost'] }, timeout: '2d' })
  .approval('release', { form: z.object({ note: z.string() }), title: ({ steps }) => steps.first.until })
  .approval('extra', { otherwise: 'skip' })
  .approval('open', { rejected: 'skip' })
  .call('child', { pipeline: child, input: ({ input }) => ({ id: input.id }) })
  .call('aside', { pipeline: child, input: ({ input }) => ({ id: input.id }), detached: true })
  .call('named', { pipeline: 'by-name', input: () => ({ anything: 1 }) })
  .http('ask', {
    url: 'https://example.com',
    secret: 'SECRET',
    timeout: '1h',
    output: z.object({ score: z.number() }),
  })
  .http('optional', {
    url: 'https://example.com',
    secret: 'SECRET',
    timeout: '1h',
    output: z.object({ score: z.number() }),
    onError: { fallback: null },
  })
  .call('maybe', {
    pipeline: child,
    input: ({ input }) => ({ id: input.id }),
    onError: 'skip',
    after: ['child', 'ask'],
  })
  .http('raw', { url: 'https://example.com', secret: 'SECRET', timeout: '1h', after: 'optional' })
  .sql('add', { function: 'app.add', input: ({ steps }) => steps.ask.score, after: ['ask', 'raw', 'maybe'] })
  .step('last', { after: 'add' }, ({ steps }) => {
    is<{ name: string; made: string }>()(steps.child)
    is<null>()(steps.nap)
    is<null | undefined>()(steps.until)
    is<Signal<{ amount: number; at: string }>>()(steps.paid)
    is<Signal<unknown> | TimedOut>()(steps.shipped)
    is<Decision<{ note: string }>>()(steps.release)
    is<Decision<unknown> | undefined>()(steps.extra)
    is<Decision<unknown> | undefined>()(steps.open)
    is<string>()(steps.aside.id)
    is<unknown>()(steps.named)
    is<{ score: number }>()(steps.ask)
    is<unknown>()(steps.raw)
    is<{ score: number } | null>()(steps.optional)
    is<{ name: string; made: string } | undefined>()(steps.maybe)
    is<unknown>()(steps.add)
    return steps.child.name
  })
export type AllClaim = Expect<Equal<PipelineOutput<typeof all>, string>>

const base = pipeline('base').step('one', () => 1)
// @ts-expect-error a sleep needs a time
base.sleep('nap', {})
// @ts-expect-error a sleep is for a time or until one
base.sleep('nap', { for: '1h', until: () => new Date() })
// @ts-expect-error there is already a step 'one'
base.signal('one')
// @ts-expect-error there is no step 'lost' before this one
base.approval('ask', { after: 'lost' })
// @ts-expect-error the input of the pipeline that is called
base.call('call', { pipeline: child, input: () => ({ id: 'one' }) })
// @ts-expect-error an endpoint has a timeout
base.http('ask', { url: 'https://example.com', secret: 'SECRET' })
// @ts-expect-error a function has a name
base.sql('add', {})
// @ts-expect-error steps before it, and no others
base.call('call', { pipeline: child, input: ({ steps }) => ({ id: steps.other }) })

// Inside a step the same types come from durable.
pipeline('inside').step('work', async ({ durable }) => {
  is<{ at: string }>()(await durable.run('work', async () => ({ at: new Date() })))
  is<void>()(await durable.sleep('3d'))
  is<Signal<unknown>>()(await durable.signal('paid'))
  is<Signal<{ amount: number }> | TimedOut>()(
    await durable.signal('paid', { payload: z.object({ amount: z.number() }), timeout: '2d' }),
  )
  is<Decision<{ note: string }>>()(
    await durable.approval('ask', { title: 'Really?', form: z.object({ note: z.string() }) }),
  )
  is<{ name: string; made: string }>()(await durable.call(child, { id: 1 }))
  is<string>()((await durable.call(child, { id: 1 }, { detached: true })).id)
  const [first] = await durable.callMany(child, [{ id: 1 }])
  if (first?.state === 'completed') is<string>()(first.output.made)
  is<Date>()(await durable.now())
  is<number>()(await durable.random())
  is<string>()(await durable.uuid())
  // @ts-expect-error a duration has a unit
  await durable.sleep('3 parsecs')
  // @ts-expect-error the input of the pipeline that is called
  await durable.call(child, { id: 'one' })
  return durable.continueAs(null)
})

// @ts-expect-error a step that is a transaction has no durable
pipeline('tx').step('work', { tx: true }, ({ durable }) => durable)

// A condition is inferred beside the functions of each kind, and makes the output one that may be missing.
pipeline('conditions', { input: z.object({ id: z.number() }) })
  .step('first', () => ({ until: new Date() }))
  .sleep('nap', { until: ({ steps }) => steps.first.until, when: ({ input }) => input.id > 3 })
  .signal('paid', { match: ({ input }) => ({ id: input.id }), when: ({ input }) => input.id > 3 })
  .approval('release', { title: ({ input }) => `${input.id}`, when: ({ steps }) => steps.first.until > '2' })
  .call('child', { pipeline: child, input: ({ input }) => ({ id: input.id }), when: async () => true })
  .http('ask', {
    url: 'https://example.com',
    secret: 'SECRET',
    timeout: '1h',
    body: ({ steps }) => steps.child?.name,
    when: ({ input }) => input.id > 3,
  })
  .sql('add', {
    function: 'app.add',
    input: ({ steps }) => steps.first,
    when: ({ steps }) => steps.ask === 1,
  })
  .step('last', ({ steps }) => {
    is<null | undefined>()(steps.nap)
    is<Decision | undefined>()(steps.release)
    is<{ name: string; made: string } | undefined>()(steps.child)
  })
