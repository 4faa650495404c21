// Owns what the compiler knows of the output of one step: what its handler may return, and what becomes of it.
import type { Jsonify } from './jsonify.ts'
import type { Schema, SchemaInput, SchemaOutput } from './standard-schema.ts'

/**
 * What a handler may return: anything, or what the schema of its output takes. Literals are widened: the compiler reads
 * `{ kind: 'a' }` as a text before it knows the schema, and the schema itself checks the value at run time.
 */
export type Returned<Output extends Schema | undefined> = Output extends Schema
  ? Widened<SchemaInput<Output>> | Promise<Widened<SchemaInput<Output>>>
  : unknown

type Widened<T> = T extends string
  ? string
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends object
        ? { [Name in keyof T]: Widened<T[Name]> }
        : T

/** What a step gives: what its schema makes of it, or what its handler returned, in its JSON form. */
export type OutputOf<Output extends Schema | undefined, Out> = Jsonify<
  Output extends Schema ? SchemaOutput<Output> : Awaited<Out>
>

/** What a step gives whose output has a schema: what that makes of it; else nobody knows. */
export type CheckedOutput<Output extends Schema | undefined> = Output extends Schema
  ? Jsonify<SchemaOutput<Output>>
  : unknown
