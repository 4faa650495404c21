// A stream over the deaths of those who write it and those who read it, each in a process of its own.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../src/sdk/client.ts'
import { programFile } from './commands.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { until } from './deadline.ts'
import { type Program, startCompiled } from './program.ts'

let database: TestDatabase
const programs: Program[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  await database.query('create table public.go (at timestamptz)')
})
afterAll(async () => {
  await Promise.all(programs.map((program) => program.kill()))
  await database.close()
})

async function startWriter(): Promise<Program> {
  const program = startCompiled('test/programs/stream-worker.ts', [database.url])
  programs.push(program)
  await until('the worker is ready', () => program.printed().includes('ready'))
  return program
}

interface Line {
  readonly position: number
  readonly attempt: number
  readonly value: { readonly attempt: number; readonly n: number }
}

interface Reader {
  readonly program: Program
  /** What it has printed; of a line that was cut short nothing. */
  readonly lines: () => Line[]
}

function startReader(run: string, from: number): Reader {
  const args = ['run', 'follow', run, '--json', '--from', String(from), '--database', database.url]
  const program = startCompiled(programFile, args)
  programs.push(program)
  const lines = () =>
    program
      .output()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
  return { program, lines }
}

test('a reader gets each part once and in order, over the death of the worker and its own, and ends with the run', async () => {
  const writer = await startWriter()
  const client = connect({ database: database.url })
  const { run } = await client.start('narrator', null)
  await client.close()
  const first = startReader(run!.id, 0)
  await until('the first reader has read', () => first.lines().length >= 30)
  await first.program.kill()
  const read = first.lines()
  await writer.kill()
  const second = startReader(run!.id, read.length)
  await startWriter()
  await until('the second attempt is read', () => second.lines().some(({ attempt }) => attempt > 1))
  await database.query('insert into public.go values (now())')
  expect(await second.program.ended).toBe(0)
  const all = [...read, ...second.lines()]
  expect(all.map(({ position }) => position)).toEqual(all.map((_, index) => index))
  const stored = await database.query<Line & Record<string, unknown>>(
    'select position, attempt, value from millrace.stream_part where run_id = $1 order by position',
    [run!.id],
  )
  expect(all.map(({ position, attempt, value }) => ({ position, attempt, value }))).toEqual(stored)
  // Each attempt wrote its own parts in order, the first as far as it came, the last all of them.
  const attempts = [...new Set(all.map(({ attempt }) => attempt))]
  for (const attempt of attempts) {
    const own = all.filter((line) => line.attempt === attempt)
    expect(own.map(({ value }) => value)).toEqual(own.map((_, n) => ({ attempt, n })))
  }
  expect(all.filter(({ attempt }) => attempt === attempts.at(-1))).toHaveLength(60)
}, 120_000)
