// Type claims about Jsonify; the compiler is the test.
import type { Jsonify, NotJson } from './jsonify.ts'
import type { Equal, Expect } from '../../test/type-claim.ts'

class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
  plus(other: Money): Money {
    return new Money(this.cents + other.cents)
  }
}

type Json = string | number | boolean | null | Json[] | { [name: string]: Json }

interface Tree {
  name: string
  planted: Date
  branches: Tree[]
}

declare const leaf: Jsonify<Tree>['branches'][number]['branches'][number]['planted']

export type Claims = [
  Expect<Equal<Jsonify<string>, string>>,
  Expect<Equal<Jsonify<'a' | 1 | null>, 'a' | 1 | null>>,
  Expect<Equal<Jsonify<boolean>, boolean>>,
  Expect<Equal<Jsonify<unknown>, unknown>>,
  Expect<Equal<Jsonify<never>, never>>,
  Expect<Equal<Jsonify<Date>, string>>,
  Expect<Equal<Jsonify<void>, null>>,
  Expect<Equal<Jsonify<Date | undefined>, string | null>>,
  Expect<Equal<Jsonify<bigint>, NotJson<'a bigint has no JSON form: return it as a text'>>>,
  Expect<Equal<Jsonify<Promise<string>>, NotJson<'a promise has no JSON form: await it'>>>,
  Expect<Equal<Jsonify<Map<string, number>>, Record<never, never>>>,
  Expect<Equal<Jsonify<Set<string>>, Record<never, never>>>,
  Expect<Equal<Jsonify<Date[]>, string[]>>,
  Expect<Equal<Jsonify<readonly Date[]>, readonly string[]>>,
  Expect<Equal<Jsonify<[1, Date, undefined]>, [1, string, null]>>,
  Expect<Equal<Jsonify<(number | undefined)[]>, (number | null)[]>>,
  Expect<Equal<Jsonify<{ at: Date; gone: undefined; run: () => void }>, { at: string }>>,
  Expect<Equal<Jsonify<{ at: Date | undefined }>, { at?: string }>>,
  Expect<Equal<Jsonify<{ at?: Date | null }>, { at?: string | null }>>,
  Expect<Equal<Jsonify<{ readonly a: unknown }>, { readonly a: unknown }>>,
  Expect<Equal<Jsonify<Record<string, Date>>, { [x: string]: string }>>,
  Expect<Equal<Jsonify<Money>, { readonly cents: number }>>,
  Expect<Equal<Jsonify<{ toJSON(): Money }>, { readonly cents: number }>>,
  Expect<Equal<Jsonify<{ kind: 'a'; at: Date } | { kind: 'b' }>, { kind: 'a'; at: string } | { kind: 'b' }>>,
  Expect<Equal<Jsonify<Buffer>, { type: 'Buffer'; data: number[] }>>,
  Expect<Equal<typeof leaf, string>>,
  Expect<
    Equal<
      Jsonify<{ at: Date; nested: { list: { at: Date }[] } }>,
      { at: string; nested: { list: { at: string }[] } }
    >
  >,
]

// What is JSON already may be used as such.
export function plain(value: Jsonify<Json>): Json {
  return value
}
