// What is told of pg_cron: real outcomes, what is called, and cadences.
import { describe, expect, test } from 'vitest'
import { checkCadence } from './cron.ts'
import {
  cadenceOfCronJob,
  callOf,
  type CronAnswer,
  type CronBook,
  type CronJob,
  judgeCronRuns,
} from './cron-jobs.ts'

const entry = (told: Partial<CronJob> = {}): CronJob => ({
  jobid: 1,
  jobname: 'send',
  schedule: '*/5 * * * *',
  command: "select net.http_post(url := 'https://x.example/f')",
  database: 'app',
  username: 'postgres',
  active: true,
  sends: true,
  ...told,
})

const minute = (minutes: number, seconds = 0): string =>
  new Date(Date.UTC(2026, 0, 1, 12, minutes, seconds)).toISOString()

const run = (
  minutes: number,
  told: Partial<CronBook['runs'] extends readonly (infer R)[] | undefined ? R : never> = {},
) => ({
  jobid: 1,
  status: 'succeeded',
  message: '1 row',
  started_at: minute(minutes),
  ended_at: minute(minutes),
  ...told,
})

const answer = (minutes: number, seconds: number, told: Partial<CronAnswer> = {}): CronAnswer => ({
  id: minutes * 60 + seconds,
  status: 200,
  timed_out: false,
  error: null,
  at: minute(minutes, seconds),
  ...told,
})

const outcomes = (told: Partial<CronBook>, of = entry()): string[] =>
  judgeCronRuns(of, {
    database: 'app',
    timezone: 'GMT',
    at: minute(30),
    entries: [of],
    kept_ms: 6 * 3_600_000,
    ...told,
  }).map(({ outcome, why }) => `${outcome}: ${why}`)

describe("RR-1 pg_cron's own success is only worth that a request was sent", () => {
  test('an answer of 2xx is a success; 4xx, 5xx, a time-out and a lost connection are failures', () => {
    const runs = [run(0), run(5), run(10), run(15), run(20)]
    const answers = [
      answer(0, 2),
      answer(5, 1, { status: 401 }),
      answer(10, 1, { status: 500 }),
      answer(15, 5, { status: null, timed_out: true }),
      answer(20, 1, { status: null, error: "Couldn't connect to server" }),
    ]
    expect(outcomes({ runs, answers })).toEqual([
      'succeeded: answered 200',
      'failed: answered 401',
      'failed: answered 500',
      'failed: the request timed out',
      "failed: the request failed: Couldn't connect to server",
    ])
  })

  test('an answer that has expired, or that nobody may see, is unknown and never a success', () => {
    expect(
      outcomes({ runs: [run(0)], answers: [], at: new Date(Date.UTC(2026, 0, 1, 19)).toISOString() }),
    ).toEqual(['unknown: its answer has expired'])
    expect(outcomes({ runs: [run(0)], answers: [] })).toEqual(['unknown: no answer to it is kept'])
    expect(outcomes({ runs: [run(0)] })).toEqual(['unknown: nobody may see here what was answered'])
    expect(outcomes({ runs: [run(0)], answers: [answer(0, 1)] }, entry({ database: 'other' }))).toEqual([
      "unknown: its answers are in database 'other'",
    ])
  })

  test('a request that was only just sent is under way', () => {
    expect(outcomes({ runs: [run(29, { started_at: minute(29, 30) })], answers: [] })).toEqual([
      'running: it is not answered yet',
    ])
  })

  test('where answers to several runs came at once, only what holds for all of them is said of one', () => {
    const entries = [entry(), entry({ jobid: 2 })]
    const runs = [run(0), run(0, { jobid: 2 })]
    const judged = (answers: CronAnswer[]) => outcomes({ entries, runs, answers })
    expect(judged([answer(0, 1), answer(0, 2)])).toEqual(['succeeded: answered 200'])
    expect(judged([answer(0, 1, { status: 500 }), answer(0, 2, { status: 500 })])).toEqual([
      'failed: answered 500',
    ])
    expect(judged([answer(0, 1), answer(0, 2, { status: 500 })])).toEqual([
      'unknown: of 2 answers to 2 runs at that time 1 failed',
    ])
    expect(judged([answer(0, 1)])).toEqual(['unknown: 1 answers came to 2 runs at that time'])
  })

  test('a statement that sends nothing ended as pg_cron says', () => {
    const plain = entry({ sends: false, command: 'vacuum' })
    const runs = [
      run(0, { message: 'VACUUM' }),
      run(5, { status: 'failed', message: 'ERROR: no' }),
      run(10, { status: 'running' }),
    ]
    expect(outcomes({ runs, answers: [] }, plain)).toEqual([
      'succeeded: VACUUM',
      'failed: ERROR: no',
      'running: pg_cron says running',
    ])
  })
})

test('what a cron job calls is told without its texts, which may be keys', () => {
  expect(
    callOf(
      `select net.http_post(url := 'https://user:pw@x.example/functions/v1/send?key=abc', headers := '{"Authorization": "Bearer secret"}')`,
    ),
  ).toBe('POST https://x.example')
  expect(callOf("select net.http_post('https://hooks.example:8443/services/T0/B0/s3cr3t')")).toBe(
    'POST https://hooks.example:8443',
  )
  expect(callOf("select net.http_get(vault_address('x'))")).toBe('GET an address that it computes')
  expect(callOf(`select call_it('it''s a secret',\n  $$another$$)`)).toBe("select call_it('…', '…')")
})

test.each([
  [String.raw`select notify(E'it\'s', 's3cr3t')`, "select notify('…', '…')"],
  [String.raw`select notify(e'\\', 's3cr3t', date'2026-01-01')`, "select notify('…', '…', date'…')"],
  [String.raw`select notify(E'it''s\'s3cr3t`, "select notify('…'"],
  ["select notify(E's3cr3t\\", "select notify('…'"],
  ["select 1; -- it's for s3cr3t\nselect notify('s3cr3t')", "select 1; select notify('…')"],
  ["select /* don't: s3cr3t */ notify('s3cr3t')", "select notify('…')"],
  [`select "it's".notify('s3cr3t', "a "" b")`, `select "it's".notify('…', "a "" b")`],
  ["select cost$a$('s3cr3t$a$', 's3cr3t')", "select cost$a$('…', '…')"],
  ["do $body$ select notify($$s3cr3t$$, 's3cr3t", "do '…'"],
  ["select notify('s3cr3t", "select notify('…'"],
  ['select notify($1, $2)', 'select notify($1, $2)'],
  ["/* a /* b */ it's */ select notify('s3cr3t')", "select notify('…')"],
  ["select 1 /* a /* b */ it's s3cr3t", 'select 1'],
  ["select 1 -- it's\r, notify('s3cr3t')", "select 1 , notify('…')"],
  ["select notify($é$it's s3cr3t$é$, 's3cr3t')", "select notify('…', '…')"],
  ["select prixé$a$('s3cr3t$a$', 's3cr3t')", "select prixé$a$('…', '…')"],
  ["select 1$a$it's s3cr3t$a$", "select 1'…'"],
  [String.raw`select éE's3cr3t\\', 's3cr3t'`, "select éE'…', '…'"],
  ["select notify(E'a'\n  'b\\'s3cr3t', 's3cr3t')", "select notify('…', '…')"],
  ["select notify(E'a' -- it's\n-- s3cr3t\r'b\\'s3cr3t', 's3cr3t')", "select notify('…', '…')"],
  [String.raw`select notify('it\'s s3cr3t', 's3cr3t')`, "select notify('…'"],
  [String.raw`select notify('\\', '\d')`, "select notify('…', '…')"],
  ['select "it\'s s3cr3t', 'select "…"'],
])('no text of %s is told', (command, told) => {
  expect(callOf(command)).toBe(told)
})

describe('a cadence of pg_cron', () => {
  test.each([
    ['*/5 * * * *', 'GMT', { cron: '*/5 * * * *', timezone: 'UTC' }],
    ['0 7 * * 1-5', 'Europe/Berlin', { cron: '0 7 * * 1-5', timezone: 'Europe/Berlin' }],
    ['30 seconds', 'GMT', { every_ms: 30_000 }],
    ['1 second', 'GMT', { every_ms: 1_000 }],
    ['0 0 $ * *', 'GMT', { cron: '0 0 L * *', timezone: 'UTC' }],
    ['0 0 1,$ * *', 'GMT', { cron: '0 0 1,L * *', timezone: 'UTC' }],
    ['@daily', 'GMT', { cron: '@daily', timezone: 'UTC' }],
    ['0 0 13 * 5', 'GMT', { cron: '0 0 13 * 5', timezone: 'UTC' }],
    ['0 0 */2 * 1', 'GMT', { cron: '0 0 */2 * +1', timezone: 'UTC' }],
    ['0 0 1-7 * */2', 'GMT', { cron: '0 0 1-7 * +*/2', timezone: 'UTC' }],
  ])('%s in %s', (schedule, timezone, cadence) => {
    expect(cadenceOfCronJob(schedule, timezone)).toEqual(cadence)
    if ('cron' in cadence) checkCadence({ kind: 'cron', pattern: cadence.cron, timezone: cadence.timezone })
  })

  test('of another form is refused', () => {
    expect(() => cadenceOfCronJob('60 seconds', 'GMT')).toThrow('2 fields')
    expect(() => cadenceOfCronJob('0 0 * *', 'GMT')).toThrow('4 fields')
  })
})
