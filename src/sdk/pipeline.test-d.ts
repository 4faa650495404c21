// Type claims about pipeline(): what is inferred without an annotation, and what is refused; the compiler is the test.
import { type } from 'arktype'
import type { PoolClient } from 'pg'
import * as v from 'valibot'
import { z } from 'zod'
import { pipeline } from './pipeline.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import type { PipelineInput, PipelineOutput } from './startable.ts'
import type { Equal, Expect } from '../../test/type-claim.ts'

interface Airport {
  code: string
  opened: Date
}

function is<Expected>() {
  return <Found>(
    _value: Found,
    ..._claim: Equal<Found, Expected> extends true ? [] : [{ found: Found }]
  ): void => {}
}

// The sketch of the authoring surface.
const sweep = pipeline('territory-sweep', {
  input: z.object({ state: z.string().length(2), since: z.date().optional() }),
  key: ({ state }) => state,
})
  .step('search', ({ input, sql }) => {
    is<string>()(input.state)
    is<string | undefined>()(input.since)
    return sql<Airport>`select code, opened from airport where state = ${input.state}`
  })
  .map('enrich', { over: 'search', retry: { attempts: 5 } }, async ({ item, index, abort, steps }) => {
    is<{ code: string; opened: string }>()(item)
    is<number>()(index)
    is<AbortSignal>()(abort)
    is<{ code: string; opened: string }[]>()(steps.search)
    return { code: item.code, checked: new Date() }
  })
  .step('store', { after: 'enrich', tx: true }, async ({ steps, tx }) => {
    is<{ code: string; checked: string }[]>()(steps.enrich)
    is<PoolClient>()(tx)
    const { rows } = await tx.query<{ id: string }>('select 1')
    return { rows: rows.length }
  })
  .step('mail', { when: ({ steps }) => steps.store.rows > 0 }, () => {})
  .step('report', ({ steps }) => {
    is<null | undefined>()(steps.mail)
    is<{ rows: number }>()(steps.store)
    return { at: new Date() }
  })

export type SweepClaims = [
  Expect<Equal<PipelineInput<typeof sweep>, { state: string; since?: Date | undefined }>>,
  Expect<Equal<PipelineOutput<typeof sweep>, { at: string }>>,
  Expect<Equal<(typeof sweep)['slug'], 'territory-sweep'>>,
]

const definition: PipelineDefinition = sweep
void definition

// Without a schema the input is null, with or without the name as a type argument.
const plain = pipeline<'plain'>('plain').step('a', ({ input }) => input)
export type PlainClaims = [
  Expect<Equal<PipelineInput<typeof plain>, null | undefined>>,
  Expect<Equal<PipelineOutput<typeof plain>, null>>,
]

// Any Standard Schema gives the types.
const withValibot = pipeline('v', {
  input: v.object({ id: v.pipe(v.string(), v.transform(Number)), tags: v.optional(v.array(v.string()), []) }),
  key: (input) => input.id,
}).step('a', ({ input }) => input)
const withArktype = pipeline('ark', {
  input: type({ 'region?': 'string', level: '1 | 2' }),
  key: 'level',
}).step('a', ({ input }) => input)
export type SchemaClaims = [
  Expect<Equal<PipelineInput<typeof withValibot>, { id: string; tags?: string[] | undefined }>>,
  Expect<Equal<PipelineOutput<typeof withValibot>, { id: number; tags: string[] }>>,
  Expect<Equal<PipelineInput<typeof withArktype>, { region?: string; level: 1 | 2 }>>,
  Expect<Equal<PipelineOutput<typeof withArktype>, { region?: string; level: 1 | 2 }>>,
]

// Steps see those before them and no others.
const graph = pipeline('graph')
  .step('root', () => 1)
  .step('left', { after: 'root' }, () => 'left' as const)
  .step('right', { after: ['root'], when: async () => true }, () => [true])
  .step('join', { after: ['left', 'right'] }, ({ steps }) => {
    is<{ readonly root: number; readonly left: 'left'; readonly right: boolean[] | undefined }>()(steps)
    return steps.root
  })
  .step('alone', { after: [] }, ({ steps }) => {
    is<{}>()(steps)
  })
  .map('each', { over: 'right', after: 'root' }, ({ item, steps }) => {
    is<boolean>()(item)
    is<{ readonly root: number; readonly right: boolean[] | undefined }>()(steps)
    return item
  })
export type GraphClaims = [
  // Several last steps: their outputs by name, null for one that may be skipped.
  Expect<
    Equal<
      PipelineOutput<typeof graph>,
      { readonly join: number; readonly alone: null; readonly each: boolean[] | null }
    >
  >,
]

const base = pipeline('base')
  .step('count', () => 1)
  .step('list', () => ['x'])

// @ts-expect-error 'count' is not a list
base.map('m', { over: 'count' }, () => 1)
// @ts-expect-error there is no step 'lost' before this one
base.map('m', { over: 'lost' }, () => 1)
// @ts-expect-error there is no step 'lost' before this one
base.step('s', { after: 'lost' }, () => 1)
// @ts-expect-error there is no step 'lost' before this one
base.step('s', { after: ['count', 'lost'] }, () => 1)
// @ts-expect-error a step does not come before itself
base.step('s', { after: 's' }, () => 1)
// @ts-expect-error there is already a step 'count'
base.step('count', () => 1)
// @ts-expect-error there is already a step 'list'
base.map('list', { over: 'list' }, () => 1)
// @ts-expect-error 'list' is no step before this one
base.step('s', { after: 'count' }, ({ steps }) => steps.list)
// @ts-expect-error a condition has no item
base.map('m', { over: 'list', when: ({ item }) => item === 'x' }, () => 1)
// @ts-expect-error a condition says yes or no
base.step('s', { when: () => 'yes' }, () => 1)
// @ts-expect-error an option that is not known
base.step('s', { retires: 3 }, () => 1)
// @ts-expect-error a map writes no transaction
base.map('m', { over: 'list', tx: true }, () => 1)
// @ts-expect-error only a step marked tx has one
base.step('s', ({ tx }) => tx)
// @ts-expect-error tx is not there when it is switched off
base.step('s', { tx: false }, ({ tx }) => tx)
// @ts-expect-error a duration has a unit
base.step('s', { timeout: '3 parsecs' }, () => 1)

// The schema of an output decides its type, and what the handler returns must fit it.
const checked = base
  .step('kinds', { output: z.object({ kind: z.enum(['a', 'b']), at: z.date() }) }, async () => ({
    kind: 'a',
    at: new Date(),
  }))
  .map('sizes', { over: 'list', output: v.pipe(v.string(), v.transform(Number)) }, ({ item }) => item)
  .step('last', ({ steps }) => ({ kind: steps.kinds.kind, at: steps.kinds.at, sizes: steps.sizes }))
export type OutputClaims = [
  Expect<Equal<PipelineOutput<typeof checked>, { kind: 'a' | 'b'; at: string; sizes: number[] }>>,
]
// @ts-expect-error the schema wants a number
base.step('s', { output: z.object({ n: z.number() }) }, () => ({ n: 'one' }))

// A bigint has no JSON form, and the type says what to do.
const cents = base
  .step('cents', () => ({ total: 10n }))
  .step('next', ({ steps }) => steps.cents.total.notJson)
export type BigintClaim = Expect<
  Equal<PipelineOutput<typeof cents>, 'a bigint has no JSON form: return it as a text'>
>
