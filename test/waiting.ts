// Waiting as tests of the SQL functions call it: park, write and read checkpoints, send, decide, and what stands for a run meanwhile.
import type { Sql, Task, Worker } from './protocol.ts'

export interface Wait {
  name: string
  kind: 'sleep' | 'signal' | 'approval' | 'call' | 'http'
  place?: number
  [more: string]: unknown
}

export interface Parked {
  kind: 'parked' | 'ready' | 'lost' | 'leased'
  task_id: string
}

/** Parks tasks, each with its waits; with room beyond the slots that they free, runs that they call may come along. */
export function park(
  sql: Sql,
  worker: Worker,
  parked: { task: Task; waits: Wait[] }[],
  room: number | null = null,
): Promise<Parked[]> {
  return sql.query<Parked & Record<string, unknown>>(
    'select kind, task_id from millrace.park_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[], $7)',
    [...waitValues(worker, parked), room],
  )
}

/** Opens waits for endpoints; answers with the tasks that are lost. */
export function openWaits(
  sql: Sql,
  worker: Worker,
  opened: { task: Task; waits: Wait[] }[],
): Promise<{ task_id: string }[]> {
  return sql.query<{ task_id: string }>(
    'select * from millrace.open_waits($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[])',
    waitValues(worker, opened),
  )
}

const waitValues = (worker: Worker, rows: { task: Task; waits: Wait[] }[]): unknown[] => [
  worker.id,
  worker.lockKey,
  rows.map(({ task }) => task.task_id),
  rows.map(({ task }) => task.step_id),
  rows.map(({ task }) => task.attempt),
  rows.map(({ waits }) => JSON.stringify(waits.map((wait, place) => ({ place, ...wait })))),
]

export interface Written {
  task: Task
  name: string
  value?: unknown
  kind?: string
  place?: number
}

export function writeCheckpoints(
  sql: Sql,
  worker: Worker,
  rows: Written[],
): Promise<{ kind: string; task_id: string; name: string }[]> {
  return sql.query<{ kind: string; task_id: string; name: string }>(
    `select * from millrace.write_checkpoints($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::int[], $8::text[], $9::jsonb[], $10::jsonb[])`,
    [
      worker.id,
      worker.lockKey,
      rows.map(({ task }) => task.task_id),
      rows.map(({ task }) => task.step_id),
      rows.map(({ task }) => task.attempt),
      rows.map(({ name }) => name),
      rows.map(({ place }, index) => place ?? index),
      rows.map(({ kind }) => kind ?? 'run'),
      rows.map(({ value }) => JSON.stringify(value ?? null)),
      rows.map(() => null),
    ],
  )
}

/** Stores what one attempt has to store alone. */
export async function writeStepCheckpoints(
  sql: Sql,
  worker: Worker,
  task: Task,
  given: { names: string[]; values: unknown[]; error?: unknown; place?: number; kind?: string },
): Promise<'kept' | 'lost' | null> {
  const [row] = await sql.query<{ refused: 'kept' | 'lost' | null }>(
    `select millrace.write_step_checkpoints($1, $2, $3, $4, $5, $6, $7, $8::text[], $9::jsonb[], $10::jsonb) as refused`,
    [
      worker.id,
      worker.lockKey,
      task.task_id,
      task.step_id,
      task.attempt,
      given.place ?? 0,
      given.kind ?? 'run',
      given.names,
      given.values.map((value) => JSON.stringify(value)),
      given.error === undefined ? null : JSON.stringify(given.error),
    ],
  )
  return row!.refused
}

/** What is stored for a step, by name, in the order in which it came. */
export async function checkpointsOf(
  sql: Sql,
  run: string,
  step: string,
  item = -1,
): Promise<Record<string, unknown>> {
  const rows = await sql.query<{ name: string; value: unknown; error: unknown }>(
    'select name, value, error from millrace.read_checkpoints($1, $2, $3)',
    [run, step, item],
  )
  return Object.fromEntries(rows.map(({ name, value, error }) => [name, error ?? value]))
}

export interface Sent {
  signal_id: string
  woke: number
  kept: boolean
}

export async function send(
  sql: Sql,
  name: string,
  body: unknown = null,
  options: { run?: string; key?: string; all?: boolean } = {},
): Promise<Sent> {
  const [row] = await sql.query<Sent & Record<string, unknown>>(
    'select * from millrace.send_signal($1, $2, $3, $4, $5)',
    [name, JSON.stringify(body), options.run ?? null, options.key ?? null, options.all ?? false],
  )
  if (row === undefined) throw new Error(`signal ${name} was not answered`)
  return row
}

/** The names of what a run still waits for. */
export async function waitsOf(sql: Sql, run: string): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    'select name from millrace.wait where run_id = $1 order by id',
    [run],
  )
  return rows.map(({ name }) => name)
}

export async function stateOf(sql: Sql, run: string): Promise<string | undefined> {
  const [row] = await sql.query<{ state: string }>('select state from millrace.run where id = $1', [run])
  return row?.state
}
