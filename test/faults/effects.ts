// What a load left behind: started runs, their ends, their effects in a user's table, and the checker's verdict on all of it.
import { expect } from 'vitest'
import type { Client } from '../../src/sdk/client.ts'
import { findBrokenInvariants } from '../checker.ts'
import type { Sql } from '../protocol.ts'
import { load } from './pipelines.ts'
import { until } from '../deadline.ts'

/** Starts so many runs of the load, of each of its shapes in turn; answers with the acknowledged ids. */
export async function startLoad(client: Client, runs: number, ms = 5): Promise<string[]> {
  const answers = await Promise.all(
    Array.from({ length: runs }, (_, n) => client.start(load[n % load.length]!.pipeline, { ms })),
  )
  return answers.map(({ run }) => run!.id)
}

export async function allEnded(sql: Sql, ids: readonly string[], withinMs?: number): Promise<void> {
  await until(
    `the end of ${ids.length} runs`,
    async () => {
      const [row] = await sql.query<{ open: number }>(
        'select count(*)::int as open from unnest($1::uuid[]) id left join millrace.run r using (id) where r.finished_at is null',
        [ids],
      )
      return row?.open === 0
    },
    withinMs,
  )
}

/** Every invariant holds; every run of the load has completed with its output, and each effect is there once. */
export async function expectLoadDone(sql: Sql, ids: readonly string[]): Promise<void> {
  await expectSound(sql, ids)
  const outputs = JSON.stringify(
    Object.fromEntries(load.map(({ pipeline, output }) => [pipeline.slug, output])),
  )
  const wrong = await sql.query(
    `select id, slug, state, output, error from millrace.run
      where id = any ($1) and (state <> 'completed' or output is distinct from $2::jsonb -> slug)`,
    [ids, outputs],
  )
  expect(wrong).toEqual([])
  const effects = JSON.stringify(
    Object.fromEntries(load.map(({ pipeline, effects: steps }) => [pipeline.slug, steps])),
  )
  const miscounted = await sql.query(
    `select r.id, wanted.step, count(e.run_id)::int as times
       from millrace.run r cross join jsonb_array_elements_text($2::jsonb -> r.slug) wanted(step)
       left join public.effect e on e.run_id = r.id and e.step = wanted.step
      where r.id = any ($1) group by r.id, wanted.step having count(e.run_id) <> 1`,
    [ids, effects],
  )
  expect(miscounted).toEqual([])
}

export async function expectSound(sql: Sql, acknowledged: readonly string[]): Promise<void> {
  expect(await findBrokenInvariants(sql, [...acknowledged])).toEqual([])
}

/** Whether the long forms are asked for: hours, not minutes, on a machine that does nothing else. */
export const isLong = process.env['MILLRACE_LONG'] === '1'

/** Printed beside the results: figures are recorded, only bounds are asserted. */
export function recordFigure(name: string, value: string): void {
  process.stdout.write(`figure  ${name}: ${value}\n`)
}
