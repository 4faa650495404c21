// The object whose properties are made when they are asked for: to whoever looks at it, like any other.
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { lazyObject, makersOf } from './lazy-object.ts'

interface Person {
  readonly name: string
  readonly greeting: string
  readonly nothing: undefined
}

/** An object about a name, and how often each of its properties was made. */
function personOf(subject: string, known?: object) {
  const counts: Record<string, number> = {}
  const counted = <T>(name: string, value: T): T => {
    counts[name] = (counts[name] ?? 0) + 1
    return value
  }
  const makers = makersOf<string, Person>({
    name: (about) => counted('name', about),
    greeting: (about) => counted('greeting', `hello ${about}`),
    nothing: () => counted('nothing', undefined),
  })
  const hidden = new Map([
    [
      'age',
      () => {
        throw new Error('nobody says')
      },
    ],
  ])
  const person = lazyObject({ makers, hidden }, subject, known) as Person & Record<string, unknown>
  return { person, counts }
}

describe('a lazy object', () => {
  it('makes each property once, when it is asked for', () => {
    const { person, counts } = personOf('Ada')
    expect(counts).toEqual({})
    expect([person.greeting, person.greeting, person.nothing, person.nothing]).toEqual([
      'hello Ada',
      'hello Ada',
      undefined,
      undefined,
    ])
    expect(counts).toEqual({ greeting: 1, nothing: 1 })
  })

  it('has all of them for whoever lists, spreads, takes apart or prints it', () => {
    const all = { name: 'Ada', greeting: 'hello Ada', nothing: undefined, of: 'Lovelace' }
    const { person } = personOf('Ada', { of: 'Lovelace' })
    expect(Object.keys(person)).toEqual(['name', 'greeting', 'nothing', 'of'])
    expect({ ...person }).toEqual(all)
    const { greeting, ...rest } = personOf('Ada').person
    expect([greeting, rest]).toEqual(['hello Ada', { name: 'Ada', nothing: undefined }])
    expect(JSON.stringify(personOf('Ada').person)).toBe('{"name":"Ada","greeting":"hello Ada"}')
    expect(['name' in person, 'of' in person, 'age' in person, 'other' in person]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('makes nothing for whoever only looks', () => {
    const { person, counts } = personOf('Ada', { of: 'Lovelace' })
    expect(person.name).toBe('Ada')
    expect([Object.keys(person).length, Object.hasOwn(person, 'greeting')]).toEqual([4, true])
    expect(inspect(person)).toBe("{ name: 'Ada', greeting: [Getter], nothing: [Getter], of: 'Lovelace' }")
    expect(counts).toEqual({ name: 1 })
  })

  it('hides what only says why it is missing', () => {
    const { person } = personOf('Ada')
    expect(() => person['age']).toThrow('nobody says')
    expect(Object.keys(person)).not.toContain('age')
    expect(Object.getOwnPropertyDescriptor(person, 'age')).toBeUndefined()
    expect(person['other']).toBeUndefined()
  })

  it('is written and frozen like any other', () => {
    const { person } = personOf('Ada')
    const written = person as { name: string; extra?: string }
    written.name = 'Grace'
    written.extra = 'more'
    expect([person.name, person['extra']]).toEqual(['Grace', 'more'])
    const derived = Object.create(person) as { name: string; greeting: string }
    derived.name = 'Derived'
    expect([derived.name, derived.greeting, person.name]).toEqual(['Derived', 'hello Ada', 'Grace'])
    Object.freeze(person)
    expect(Object.isFrozen(person)).toBe(true)
    expect({ ...person }).toEqual({
      name: 'Grace',
      greeting: 'hello Ada',
      nothing: undefined,
      extra: 'more',
    })
  })

  it('loses what is taken away, and gets what is defined', () => {
    const { person } = personOf('Ada')
    Object.defineProperty(person, 'greeting', { enumerable: false })
    Object.defineProperty(person, 'loud', {
      get(this: Person) {
        return this.name.toUpperCase()
      },
    })
    expect([person.greeting, person['loud'], Object.keys(person)]).toEqual([
      'hello Ada',
      'ADA',
      ['name', 'nothing'],
    ])
    expect(Reflect.deleteProperty(person, 'name')).toBe(true)
    expect(['name' in person, person.name]).toEqual([false, undefined])
  })
})
