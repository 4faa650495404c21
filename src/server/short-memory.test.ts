// What is remembered for a moment: asked once by many, counted from when it was asked, and never a failure.
import { expect, test } from 'vitest'
import { Arrival } from '../../test/millrace.ts'
import { ShortMemory } from './short-memory.ts'

function memoryAt(): { memory: ShortMemory<string | undefined>; move: (ms: number) => void } {
  let nowMs = 0
  const memory = new ShortMemory<string | undefined>({ ms: 500, entriesMax: 2, nowMs: () => nowMs })
  return { memory, move: (ms) => void (nowMs += ms) }
}

test('many who ask at once ask once, and an answer that took long is remembered no longer for it', async () => {
  const { memory, move } = memoryAt()
  const slow = new Arrival<string>()
  let asked = 0
  const ask = (): Promise<string> => {
    asked++
    return slow.come
  }
  const all = [memory.get('a', ask), memory.get('a', ask), memory.get('a', ask)]
  move(499)
  slow.arrive('found')
  expect(await Promise.all(all)).toEqual(['found', 'found', 'found'])
  expect(asked).toBe(1)
  move(1)
  await memory.get('a', ask)
  expect(asked).toBe(2)
})

test('that there is nothing, or that nobody could be asked, is not remembered', async () => {
  const { memory } = memoryAt()
  expect(await memory.get('a', () => Promise.resolve(undefined))).toBeUndefined()
  await expect(memory.get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(await memory.get('a', () => Promise.resolve('found'))).toBe('found')
})

test('it holds no more than it may', async () => {
  const { memory } = memoryAt()
  for (const name of ['a', 'b', 'c']) await memory.get(name, () => Promise.resolve(name))
  expect(await memory.get('a', () => Promise.resolve('anew'))).toBe('anew')
  expect(await memory.get('c', () => Promise.resolve('anew'))).toBe('c')
})
