// Tests of the lists of words for states.
import { expect, test } from 'vitest'
import { attemptOutcomes, isFinal, runStates, stepStates, workerStates } from './state.ts'

test('JQ-32 each list of words names every word once', () => {
  for (const words of [runStates, stepStates, attemptOutcomes, workerStates]) {
    expect(new Set(words).size).toBe(words.length)
  }
})

test('a state is final where nothing follows by itself', () => {
  expect(runStates.filter(isFinal)).toEqual(['completed', 'failed', 'cancelled'])
  expect(stepStates.filter(isFinal)).toEqual(['completed', 'failed', 'skipped', 'cancelled'])
})
