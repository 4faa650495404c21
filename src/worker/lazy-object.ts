// An object whose properties are made when they are first asked for, and kept. Whoever looks at it finds all of them.
import { inspect } from 'node:util'

/** How each property is made of what the object is about. */
export type Makers<Subject> = ReadonlyMap<PropertyKey, (subject: Subject) => unknown>

export interface LazyShape<Subject> {
  readonly makers: Makers<Subject>
  /** Properties that answer when they are asked for, and stand in no list: such as those that say why they are missing. */
  readonly hidden?: Makers<Subject>
}

/** The makers of all that a type has. */
export function makersOf<Subject, T>(
  makers: {
    readonly [Name in keyof T]-?: (subject: Subject) => T[Name]
  },
): Makers<Subject> {
  return new Map(Object.entries(makers)) as Makers<Subject>
}

/**
 * Such an object, with what is `known` of it already. What is not made yet is an accessor to whoever lists it, so that looking makes nothing. An object
 * literal with as many accessors takes microseconds to make, and this one a fraction of one.
 */
export function lazyObject<Subject>(shape: LazyShape<Subject>, subject: Subject, known?: object): object {
  const made = new Made()
  if (known !== undefined) Object.assign(made, known)
  return new Proxy(made, new LazyHandler(shape, subject))
}

/** What has been made so far. */
class Made {
  [name: PropertyKey]: unknown

  /** What console.log shows of it: all there is, as of any other object. */
  [inspect.custom](): object {
    return Object.defineProperties({}, Object.getOwnPropertyDescriptors(this))
  }
}

const noMakers: Makers<unknown> = new Map()

class LazyHandler<Subject> implements ProxyHandler<Made> {
  #shape: LazyShape<Subject>
  readonly #subject: Subject

  constructor(shape: LazyShape<Subject>, subject: Subject) {
    this.#shape = shape
    this.#subject = subject
  }

  get(made: Made, name: PropertyKey): unknown {
    const value = made[name]
    return value === undefined ? this.#make(made, name) : value
  }

  /** An object that was made with this one as its prototype keeps what is written to it. */
  set(made: Made, name: PropertyKey, value: unknown, receiver: object): boolean {
    const isOwn = Object.getPrototypeOf(receiver) === Made.prototype
    return Reflect.set(made, name, value, isOwn ? made : receiver)
  }

  has(made: Made, name: PropertyKey): boolean {
    return this.#shape.makers.has(name) || name in made
  }

  ownKeys(made: Made): Array<string | symbol> {
    const listed = this.#shape.makers.keys() as Iterable<string | symbol>
    return [...new Set([...listed, ...Reflect.ownKeys(made)])]
  }

  getOwnPropertyDescriptor(made: Made, name: PropertyKey): PropertyDescriptor | undefined {
    const own = Reflect.getOwnPropertyDescriptor(made, name)
    if (own !== undefined || !this.#shape.makers.has(name)) return own
    return { get: () => this.get(made, name), enumerable: true, configurable: true }
  }

  defineProperty(made: Made, name: PropertyKey, descriptor: PropertyDescriptor): boolean {
    this.#makeAll(made)
    return Reflect.defineProperty(made, name, descriptor)
  }

  deleteProperty(made: Made, name: PropertyKey): boolean {
    this.#makeAll(made)
    return Reflect.deleteProperty(made, name)
  }

  preventExtensions(made: Made): boolean {
    this.#makeAll(made)
    return Reflect.preventExtensions(made)
  }

  #make(made: Made, name: PropertyKey): unknown {
    if (Object.hasOwn(made, name)) return undefined
    const { makers, hidden } = this.#shape
    const make = makers.get(name)
    if (make === undefined) return hidden?.get(name)?.(this.#subject)
    const value = make(this.#subject)
    made[name] = value
    return value
  }

  /** Whoever changes what it consists of has an object like any other from then on. */
  #makeAll(made: Made): void {
    for (const name of this.#shape.makers.keys()) this.get(made, name)
    this.#shape = { ...this.#shape, makers: noMakers }
  }
}
