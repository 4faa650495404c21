// Owns how an operation gets its handler, and what a handler is given.
import type { z } from 'zod'
import type { Actor } from '../api/access.ts'
import type { Given, Operation, Sent } from '../api/operation.ts'
import type { Caller } from '../db/call.ts'
import type { Origin } from './origin.ts'
import type { ServerRoom } from './room.ts'

/** What a list is kept to: null is all. Each handler of a list puts both into its query. */
export interface Within {
  readonly tenant: string | null
  readonly pipelines: readonly string[] | null
}

/** A request that was checked: who asks may do it, and what it says has the right shape. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly actor: Actor
  readonly within: Within
  readonly room: ServerRoom
  readonly origin: Origin
  /** Calls in the name of the actor, each a transaction of its own. Reads go over room.reads, which is one round trip. */
  readonly caller: Caller
  /** The revision that the caller saw, where it sent If-Match. */
  readonly ifRevision: number | undefined
  /** The Idempotency-Key of the request. Starts hand it on; for all others it is kept outside of handlers. */
  readonly idempotencyKey: string | undefined
  readonly request: Request
  /** Who asks, by what the credential says now; undefined where it no longer holds. For what goes on after the answer has begun. */
  readonly again: () => Promise<Actor | undefined>
}

/** What JSON makes of it: a Date becomes a text. */
type Told<T> = T extends string
  ? T | Date
  : T extends ReadonlyArray<infer Item>
    ? ReadonlyArray<Told<Item>>
    : T extends object
      ? { readonly [Name in keyof T]: Told<T[Name]> | (undefined extends T[Name] ? undefined : never) }
      : T

type Part = z.ZodObject | undefined

export interface Route {
  readonly operation: Operation
  readonly handle: (call: Call) => Promise<unknown>
}

/** Gives an operation its handler. What the handler answers is written as JSON; a Response of its own goes out as it is. */
export function route<
  P extends Part,
  Q extends Part,
  B extends z.ZodType | undefined,
  A extends z.ZodType | undefined,
>(
  operation: Operation<P, Q, B, A>,
  handle: (
    call: Call<Given<P>, Given<Q>, Given<B>>,
  ) => Promise<(A extends z.ZodType ? Told<Sent<A>> : void) | Response>,
): Route {
  return { operation, handle: handle as Route['handle'] }
}
