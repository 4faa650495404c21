// Owns what an operation of the HTTP API is: a verb of the glossary with its route, its schemas, and who may do it. What validates is what documents.
import type { z } from 'zod'
import type { ErrorCode } from '../core/errors.ts'
import type { Access } from './access.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type Shape = z.ZodObject | undefined
type Schema = z.ZodType | undefined

export interface OperationParts<
  Params extends Shape,
  Query extends Shape,
  Body extends Schema,
  Answer extends Schema,
  Media extends string | undefined = string | undefined,
> {
  /** The verb, in the spelling of the SDK: cancelRun. */
  readonly name: string
  readonly method: Method
  /** From the root, with its parameters in braces: /runs/{run}/cancel. */
  readonly path: string
  /** The heading under which it is documented: the noun. */
  readonly tag: string
  /** One sentence. */
  readonly summary: string
  /** 'public' for what needs no credential: the short list that a test prints. */
  readonly access: Access | 'public'
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  /** What comes back as JSON; none for a stream, for bytes, and where there is nothing to say. */
  readonly answer?: Answer
  /** Of success; 200 with an answer and 204 without one unless told. */
  readonly status?: 200 | 201 | 202 | 204
  /** The same answer may come as 503 as well, where what it tells is bad: for programs that look at nothing but the status. */
  readonly unwell?: true
  /** What comes back where it is no JSON: 'text/event-stream', 'application/octet-stream' … */
  readonly media?: Media
  /** Of a stream: what the data of each event is, by the event's name. */
  readonly events?: Readonly<Record<string, z.ZodType>>
  /** The codes that it may answer besides those of every operation. */
  readonly errors?: readonly ErrorCode[]
  /** Whether it takes the revision that the caller saw, as If-Match. */
  readonly revised?: true
  /** Its handler sees to an idempotency key by itself, as starts hand it on to the database, or none is kept. For all other POSTs it is kept outside of handlers. */
  readonly ownIdempotency?: 'handled' | 'none'
  /** Its answer holds what is shown once, and is kept nowhere. */
  readonly answersOnce?: true
  /** Not counted against anybody's limit: probes, and what a page is made of. Streams aren't either. */
  readonly uncounted?: true
  /** The most bytes of a body; 1 MB unless told. */
  readonly bodyBytesMax?: number
}

export interface Operation<
  Params extends Shape = Shape,
  Query extends Shape = Shape,
  Body extends Schema = Schema,
  Answer extends Schema = Schema,
  Media extends string | undefined = string | undefined,
> extends OperationParts<Params, Query, Body, Answer, Media> {
  readonly status: 200 | 201 | 202 | 204
}

/** What an operation's parts say, in one type. */
export type Given<Part> = Part extends z.ZodType ? z.output<Part> : undefined
export type Sent<Part> = Part extends z.ZodType ? z.input<Part> : undefined

/** An operation, with what is the same for most of them filled in. */
export function operation<
  Params extends Shape = undefined,
  Query extends Shape = undefined,
  Body extends Schema = undefined,
  Answer extends Schema = undefined,
  const Media extends string | undefined = undefined,
>(parts: OperationParts<Params, Query, Body, Answer, Media>): Operation<Params, Query, Body, Answer, Media> {
  return {
    ...parts,
    status: parts.status ?? (parts.answer === undefined && parts.media === undefined ? 204 : 200),
  }
}
