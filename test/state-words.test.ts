// The words for states stand in one list; tables and glossary say the same.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  agentRequestStates,
  approvalStates,
  attemptOutcomes,
  checkpointKinds,
  deliveryOutcomes,
  deliveryStates,
  firingStates,
  redriveItemStates,
  runStates,
  stepStates,
  workerStates,
} from '../src/core/state.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const sorted = (words: readonly string[]): string[] => [...new Set(words)].sort()

test.each([
  ['run', 'state', runStates],
  ['attempt', 'outcome', attemptOutcomes],
  ['worker', 'state', workerStates],
  ['approval', 'state', approvalStates],
  ['agent_request', 'state', agentRequestStates],
  ['checkpoint', 'kind', checkpointKinds],
  ['redrive_item', 'state', redriveItemStates],
  ['firing', 'state', firingStates],
  ['delivery', 'state', deliveryStates],
  ['delivery_run', 'outcome', deliveryOutcomes],
] as const)(
  'JQ-32 the constraint on %s.%s allows the words of src/core/state.ts, and no other',
  async (table, column, words) => {
    expect(sorted(await allowedWords(table, column))).toEqual(sorted(words))
  },
)

test.each([
  ['run', runStates],
  ['step', stepStates],
  ['attempt', attemptOutcomes],
  ['worker', workerStates],
  ['approval', approvalStates],
  ['request of an agent', agentRequestStates],
  ['redrive item', redriveItemStates],
  ['firing', firingStates],
  ['delivery', deliveryStates],
] as const)(
  'JQ-32 the glossary lists the states of a %s in the words of src/core/state.ts',
  (noun, words) => {
    expect(sorted(glossaryWords(noun))).toEqual(sorted(words))
  },
)

test('JQ-32 the words that the functions write into a state are among them', async () => {
  const rows = await database.query<{ source: string }>(
    "select prosrc as source from pg_proc where pronamespace = 'millrace'::regnamespace",
  )
  const written = rows.flatMap(({ source }) =>
    [...source.matchAll(/\b(?:state|outcome)\s*=\s*'([a-z]+)'/g)].map(([, word = '']) => word),
  )
  expect(written.length).toBeGreaterThan(5)
  const known = new Set<string>([
    ...runStates,
    ...workerStates,
    ...attemptOutcomes,
    ...approvalStates,
    ...agentRequestStates,
    ...redriveItemStates,
    ...firingStates,
    ...deliveryStates,
    ...deliveryOutcomes,
  ])
  expect(written.filter((word) => !known.has(word))).toEqual([])
})

/** The words in the check that concerns this column alone. */
async function allowedWords(table: string, column: string): Promise<string[]> {
  const rows = await database.query<{ definition: string }>(
    `select pg_get_constraintdef(c.oid) as definition
       from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and array[a.attnum] = c.conkey
      where c.conrelid = $1::regclass and c.contype = 'c' and a.attname = $2`,
    [`millrace.${table}`, column],
  )
  return rows.flatMap(({ definition }) =>
    [...definition.matchAll(/'([a-z]+)'/g)].map(([, word = '']) => word),
  )
}

/** The words in the code of the first sentence of `- A **noun** …` under States. */
function glossaryWords(noun: string): string[] {
  const glossary = readFileSync(new URL('../GLOSSARY.md', import.meta.url), 'utf8')
  const sentence = glossary.match(new RegExp(`^- An? \\*\\*${noun}\\*\\*([^.]*)\\.`, 'm'))?.[1] ?? ''
  return [...sentence.matchAll(/`([^`]*)`/g)].flatMap(([, code = '']) => code.match(/[a-z]+/g) ?? [])
}
