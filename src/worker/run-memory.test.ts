// What a worker remembers of runs that it has no task of in hand: bounded in number, and in room.
import { expect, test } from 'vitest'
import { RememberedOutput, RunMemories } from './run-memory.ts'

const runOf = (id: string, input: unknown) => ({
  id,
  input,
  isInputSealed: false,
  cipher: undefined,
  lastSteps: [],
  tenant: null,
  key: null,
  headers: {},
  startedAt: new Date(0),
})

test('a run that takes much room is remembered while a task of it is in hand, and no longer', () => {
  const memories = new RunMemories(10)
  for (const large of [
    memories.remember(runOf('input', { text: 'x'.repeat(100_000) })),
    memories.remember(runOf('written', 1)),
    memories.remember(runOf('read', 1)),
  ]) {
    if (large.id === 'written')
      large.outputs.set('list', new RememberedOutput({ text: JSON.stringify('x'.repeat(100_000)) }))
    if (large.id === 'read')
      large.outputs.set('list', new RememberedOutput({ value: Array.from({ length: 5_000 }, (_, n) => n) }))
    large.tasks = 1
    memories.left(large)
    expect(memories.get(large.id)).toBe(large)
    large.tasks = 0
    memories.left(large)
    expect(memories.get(large.id)).toBeUndefined()
  }
  const small = memories.remember(runOf('small', { n: 1 }))
  small.outputs.set('skipped', undefined)
  memories.left(small)
  expect(memories.get('small')).toBe(small)
})

test('what was forgotten and is remembered anew is left alone by who held the former', () => {
  const memories = new RunMemories(10)
  const former = memories.remember(runOf('again', 'x'.repeat(100_000)))
  memories.forget('again')
  const next = memories.remember(runOf('again', 'x'.repeat(100_000)))
  next.tasks = 1
  memories.left(former)
  expect(memories.get('again')).toBe(next)
})
