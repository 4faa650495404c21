// Owns what a call of an operation takes and gives, as types: both come from the schemas by which the server checks it.
import type { z } from 'zod'
import type { Operation } from '../api/operation.ts'
import type { ServerEvent } from './server-event.ts'

/** What every call may say besides what its operation takes. */
export interface CallOptions {
  /** The revision that the change was decided on: where somebody has changed the same thing since, it is refused. */
  readonly ifRevision?: number
  /** The same key with the same call has its effect once. One is made for each call that changes something, and kept while it is sent again. */
  readonly idempotencyKey?: string
  /** Ends the call early. */
  readonly signal?: AbortSignal | undefined
  /** Of event streams: take it up behind the event of this id. */
  readonly lastEventId?: string
}

type PartsOf<One> =
  One extends Operation<infer Params, infer Query, infer Body, infer Answer, infer Media>
    ? { params: Params; query: Query; body: Body; answer: Answer; media: Media }
    : never

type Written<Schema> = Schema extends z.ZodType ? z.input<Schema> : undefined

/** What stands in a URL is text: whole numbers and truth values are written as such. */
type InQuery<Value> = unknown extends Value
  ? string | number
  : Extract<Value, 'true' | 'false'> extends never
    ? Value
    : Value | boolean

type Query<Value> = { readonly [Name in keyof Value]: InQuery<Value[Name]> }

type Part<Name extends string, Value> = [Value] extends [undefined]
  ? unknown
  : object extends Value
    ? { readonly [N in Name]?: Value }
    : { readonly [N in Name]: Value }

/** What a call of this operation takes. */
export type CallOf<One> = Part<'params', Written<PartsOf<One>['params']>> &
  Part<'query', Query<Written<PartsOf<One>['query']>>> &
  Part<'body', Written<PartsOf<One>['body']>> &
  CallOptions

/** JSON as it came; events as they come; the answer itself where it is something else; nothing where there is nothing to say. */
export type AnswerOf<One> = PartsOf<One>['media'] extends 'text/event-stream'
  ? AsyncGenerator<ServerEvent, void, undefined>
  : PartsOf<One>['media'] extends string
    ? Promise<Response>
    : Promise<PartsOf<One>['answer'] extends z.ZodType ? z.output<PartsOf<One>['answer']> : undefined>

/** One operation as a function. */
export type Verb<One> =
  object extends CallOf<One> ? (call?: CallOf<One>) => AnswerOf<One> : (call: CallOf<One>) => AnswerOf<One>

/** A call as it is sent, whatever its operation is. */
export interface AnyCall extends CallOptions {
  readonly params?: Readonly<Record<string, unknown>> | undefined
  readonly query?: Readonly<Record<string, unknown>> | undefined
  readonly body?: unknown
}
