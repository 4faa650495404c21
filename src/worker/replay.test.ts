// Replays: what is asked for in another order, at another time, or not at all.
import { expect, test } from 'vitest'
import { Replay } from './replay.ts'

const stored = (name: string, place: number) => ({ name, place, kind: 'run', value: name, error: null })

test('operations one after the other have places of their own, those that are open together share a number', () => {
  const replay = new Replay('work', [])
  const numbers = [
    replay.ask('run', 'a', true),
    replay.ask('run', 'b', true),
    replay.ask('run', 'c', false),
    replay.ask('run', 'd', true),
  ].map(({ operation }) => [operation.number, operation.accompanied])
  expect(numbers).toEqual([
    [0, false],
    [1, false],
    [1, true],
    [2, false],
  ])
})

test('another operation in the place of one that was alone is in doubt, one among several is not', () => {
  const alone = new Replay('work', [stored('a', 0), stored('b', 2)])
  alone.ask('run', 'a', true)
  expect(alone.ask('run', 'x', true).doubt).toMatchObject({
    code: 'replay_mismatch',
    fields: { asked: 'x', stored: 'b', place: 1 },
  })
  // Of two that were open together only the second had been stored.
  const together = new Replay('work', [stored('b', 1)])
  expect(together.ask('run', 'a', true).doubt).toBeUndefined()
  // Two that were open together come one after the other now, and what follows is found in its place.
  const apart = new Replay('work', [stored('a', 1), stored('b', 1), stored('c', 2)])
  expect(['a', 'b', 'c'].map((name) => apart.ask('run', name, true).doubt)).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  apart.end()
})

test('a name of another kind, a name twice, and a name that is left out are refused', () => {
  const replay = new Replay('work', [stored('a', 0), stored('b', 2)])
  expect(() => replay.ask('sleep', 'a', true)).toThrow(
    "asks for sleep 'a', where the result of a run is stored",
  )
  const shorter = new Replay('work', [stored('a', 0), stored('b', 2)])
  shorter.ask('run', 'a', true)
  expect(() => shorter.ask('run', 'a', true)).toThrow("are named 'a'")
  expect(() => shorter.end()).toThrow("without asking for run 'b', whose result is stored at place 1")
})

test('results are given in the order in which they were stored, one a turn', async () => {
  const results = ['a', 'b', 'c'].map((name) => stored(name, 1))
  const replay = new Replay('work', results)
  const given: string[] = []
  const asked = ['c', 'a', 'b'].map((name) => replay.ask('run', name, false).stored!)
  await new Promise<void>((resolve) => {
    for (const result of asked)
      replay.give(result, () => {
        given.push(result.name)
        if (given.length === 3) resolve()
      })
  })
  expect(given).toEqual(['a', 'b', 'c'])
})

test('what failed before and was gone on from is done again, and may lead another way', () => {
  // 'try 1' had thrown, was caught, and nothing of it is stored.
  const replay = new Replay('work', [stored('nap', 2), stored('try 2', 4)])
  expect(replay.ask('run', 'try 1', true).doubt).toBeUndefined()
  replay.end()
})
