// Owns Jsonify: the type that a value has after it was written as JSON and read again.

/** Stands where a type has no JSON form; the message says what to do. */
export interface NotJson<Message extends string> {
  readonly notJson: Message
}

/** A Date becomes a text, nothing becomes null, what is undefined or a function is left out. */
export type Jsonify<T> =
  IsAnything<T> extends true
    ? T
    : T extends string | number | boolean | null
      ? T
      : T extends undefined | void | symbol
        ? null
        : T extends bigint
          ? NotJson<'a bigint has no JSON form: return it as a text'>
          : T extends { toJSON(...args: never): infer Json }
            ? Jsonify<Json>
            : T extends AnyFunction
              ? null
              : T extends readonly unknown[]
                ? JsonList<T>
                : T extends PromiseLike<unknown>
                  ? NotJson<'a promise has no JSON form: await it'>
                  : T extends WrittenEmpty
                    ? Record<never, never>
                    : T extends object
                      ? JsonObject<T>
                      : NotJson<'this has no JSON form'>

/** A list of any length is written out, not mapped: the compiler then looks inside it only where it must. */
type JsonList<T extends readonly unknown[]> = number extends T['length']
  ? T extends unknown[]
    ? Jsonify<T[number]>[]
    : readonly Jsonify<T[number]>[]
  : { [Index in keyof T]: Jsonify<T[Index]> }

/** any and unknown, of which nothing can be said. */
type IsAnything<T> = 0 extends 1 & T ? true : unknown extends T ? true : false

type AnyFunction = (...args: never) => unknown

/** What JSON leaves out of an object. */
type LeftOut = undefined | void | symbol | AnyFunction

/** What JSON.stringify writes as {}. */
type WrittenEmpty =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | RegExp
  | Error
  | ArrayBuffer

type JsonObject<T> = Flat<
  { [Name in keyof T as KeptName<Name, T[Name]>]: Jsonify<T[Name]> } & {
    [Name in keyof T as OptionalName<Name, T[Name]>]?: Jsonify<Exclude<T[Name], LeftOut>>
  }
>

/** Behind an infer, so that the compiler shows the properties and not this alias. */
type Flat<T> = T extends infer Both ? { [Name in keyof Both]: Both[Name] } : never

type KeptName<Name, Value> = Name extends string | number
  ? MayBeLeftOut<Value> extends true
    ? never
    : Name
  : never

type OptionalName<Name, Value> = Name extends string | number
  ? MayBeLeftOut<Value> extends true
    ? [Exclude<Value, LeftOut>] extends [never]
      ? never
      : Name
    : never
  : never

type MayBeLeftOut<Value> =
  IsAnything<Value> extends true ? false : [Extract<Value, LeftOut>] extends [never] ? false : true
