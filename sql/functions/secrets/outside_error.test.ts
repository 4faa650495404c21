// What executors outside say of an encrypted pipeline: nothing of it is stored in the clear, and a failure counts all the same.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { runOf, startStep } from '../../../test/protocol.ts'

let database: TestDatabase
const canary = 'IBAN DE89 3704'
beforeAll(async () => {
  database = await createTestDatabase()
  const graph = { key: [], encrypt: { clear: [] }, steps: [{ name: 'pay' }] }
  await database.query("select millrace.register_pipeline('sealed', $1)", [JSON.stringify(graph)])
})
afterAll(() => database.close())

async function begun(): Promise<{ run: string; attempt: number }> {
  const [started] = await database.query<{ run_id: string }>(
    "select run_id from millrace.ensure_run('sealed', null)",
  )
  const run = started!.run_id
  const { attempt } = await startStep(database, run, 'pay')
  return { run, attempt: attempt! }
}

/** Whatever is stored of a run. */
const stored = async (run: string): Promise<string> =>
  JSON.stringify(
    await database.query(
      `select to_jsonb(t) from millrace.event t where run_id = $1 union all select to_jsonb(t) from millrace.attempt t where run_id = $1
       union all select to_jsonb(t) from millrace.stream_part t where run_id = $1 union all select to_jsonb(t) from millrace.dead_letter t where run_id = $1
       union all select to_jsonb(t) from millrace.run t where id = $1`,
      [run],
    ),
  )

test('FO-12 fields of a log line and parts of a stream are refused in the clear, and taken encrypted; other words may be said', async () => {
  const { run, attempt } = await begun()
  const log = (fields: object) =>
    database.query("select millrace.log_step($1, 'pay', $2, 'a line', $3)", [run, attempt, fields])
  const report = (kind: string, body: unknown) =>
    database.query("select millrace.report_step($1, 'pay', $2, $3, $4)", [
      run,
      attempt,
      kind,
      JSON.stringify(body),
    ])
  const envelope = { $encrypted: { key: 'k', nonce: 'n', data: 'd' } }
  await expect(log({ of: canary })).rejects.toMatchObject({ code: 'MR050' })
  await expect(report('part', canary)).rejects.toMatchObject({ code: 'MR050' })
  await log({})
  await log(envelope)
  await report('part', envelope)
  await report('metadata', { phase: 'two' })
  expect(await stored(run)).not.toContain(canary)
})

test('FO-12 of a failure in the clear its code is kept, and whether it is tried again, and none of its words', async () => {
  const { run, attempt } = await begun()
  const error = { code: 'bad_iban', message: canary, stack: canary, retryable: false }
  await database.query("select millrace.fail_step($1, 'pay', $2, $3)", [run, attempt, error])
  const kept = { code: 'bad_iban', message: '[hidden]', retryable: false }
  expect(await runOf(database, run)).toMatchObject({ state: 'failed', error: kept })
  expect(await stored(run)).not.toContain(canary)
  for (const reason of [error, canary]) {
    const { run: other } = await begun()
    await database.query('select millrace.complete_run($1, $2)', [other, JSON.stringify(reason)])
    expect(await runOf(database, other)).toMatchObject({ state: 'failed', error: { message: '[hidden]' } })
    expect(await stored(other)).not.toContain(canary)
  }
})
