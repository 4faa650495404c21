// What handlers say while they run: progress, metadata, metrics and parts of a stream, their bounds, and their fence.
import { beforeEach, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { Arrival, atRest, countStatements, openMillrace } from '../../test/millrace.ts'
import { runOf, sweep } from '../../test/protocol.ts'
import { tellAccount } from '../core/account.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import type { Client } from '../sdk/client.ts'
import type { StepContext } from '../sdk/context.ts'
import { pipeline } from '../sdk/pipeline.ts'
import type { StreamPart } from '../sdk/run-stream.ts'

const { database, opened } = await openMillrace()

const caller = () => poolCaller(database.pool, { prepare: false, database: 'test' })

beforeEach(() => database.query('delete from millrace.run_metadata'))

async function read(client: Client, run: string, from = 0): Promise<StreamPart[]> {
  const parts: StreamPart[] = []
  for await (const part of client.run(run).stream({ from })) parts.push(part)
  return parts
}

let pipelines = 0

/** Runs one step, and gives what it threw where it said something that was refused. */
async function refusalOf(
  say: (context: StepContext<null, object>) => unknown,
): Promise<{ readonly code: unknown; readonly attempts: number }> {
  const refused = pipeline(`refused-${++pipelines}`, { retry: { attempts: 3 } }).step(
    'say',
    async (context) => {
      await say(context)
    },
  )
  await opened.worker({ pipelines: [refused] })
  const client = opened.client()
  const { run } = await client.start(refused, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  const { error } = await runOf(database, run!.id)
  const [row] = await database.query<{ attempts: number }>(
    'select count(*)::int as attempts from millrace.attempt where run_id = $1',
    [run!.id],
  )
  return { code: error?.['code'], attempts: row!.attempts }
}

test('FO-7 progress, metadata and metrics of a handler are seen while it runs, and its last word stands at its end', async () => {
  const [said, goOn] = [new Arrival(), new Arrival()]
  const fetching = pipeline('fetching').step('fetch', async ({ progress, setMetadata, metric }) => {
    progress(40, 120, 'page 3')
    setMetadata({ source: 'a.csv', phase: 'reading' })
    metric('members_found', 7)
    said.arrive()
    await goOn.come
    for (let done = 41; done <= 120; done++) progress(done, 120)
    setMetadata({ phase: null })
  })
  await opened.worker({ pipelines: [fetching], name: 'a worker' })
  const client = opened.client()
  const { run } = await client.start(fetching, null)
  const handle = client.run(run!)
  await said.come
  const seen = await until('its words are stored', async () => {
    const progress = await handle.progress()
    return progress.metrics.length > 0 ? progress : undefined
  })
  expect(seen).toMatchObject({
    state: 'running',
    done: 0,
    known: 1,
    percent: 0,
    steps: [
      { step: 'fetch', item: null, attempt: 1, done: 40, total: 120, note: 'page 3', at: expect.any(Date) },
    ],
    metadata: { source: 'a.csv', phase: 'reading' },
    metrics: [{ name: 'members_found', labels: {}, values: 1, last: 7 }],
    parts: 0,
  })
  const told = tellAccount(await runAccount(caller(), run!.id))
  expect(told.replaceAll(/\s+/g, ' ')).toMatch(/fetch: attempt 1 runs since .*: 40 of 120 \(33 %\), page 3/)
  goOn.arrive()
  await handle.result()
  expect(await handle.progress()).toMatchObject({
    state: 'completed',
    percent: 100,
    steps: [{ done: 120, total: 120, note: null }],
    metadata: { source: 'a.csv' },
  })
})

test('FO-15 metrics are kept by name and labels, an attempt made again counts once, and objectives over them and over the output are judged', async () => {
  const grouping = pipeline('grouping', {
    retry: { attempts: 2, initial: 0 },
    objectives: {
      members_found: { min: 1 },
      confidence: { min: 0.8, max: 1 },
      cohesion: { min: 0.5 },
      rows: { max: 10, output: 'report.rows' },
      cost: { max: 5 },
    },
  })
    .step('list', () => [0.91, 0.83])
    .map('score', { over: 'list' }, ({ item, metric, attempt, index }) => {
      metric('confidence', item)
      metric('members_found', attempt === 1 ? 100 : 3, { source: index === 0 ? 'web' : 'file' })
      if (attempt === 1) throw new Error('again')
    })
    .step('report', ({ metric }) => {
      metric('cohesion', 0.2)
      return { report: { rows: 4 } }
    })
  await opened.worker({ pipelines: [grouping] })
  const client = opened.client()
  const { run } = await client.start(grouping, null)
  await client.run(run!).result()
  const { metrics, objectives } = await client.run(run!).progress()
  expect(metrics).toEqual([
    { name: 'cohesion', labels: {}, values: 1, last: 0.2, min: 0.2, max: 0.2, sum: 0.2 },
    { name: 'confidence', labels: {}, values: 2, last: expect.any(Number), min: 0.83, max: 0.91, sum: 1.74 },
    { name: 'members_found', labels: { source: 'file' }, values: 1, last: 3, min: 3, max: 3, sum: 3 },
    { name: 'members_found', labels: { source: 'web' }, values: 1, last: 3, min: 3, max: 3, sum: 3 },
  ])
  expect(objectives.map(({ name, state, foundMin }) => [name, state, foundMin])).toEqual(
    expect.arrayContaining([
      ['members_found', 'met', 3],
      ['confidence', 'met', 0.83],
      ['cohesion', 'missed', 0.2],
      ['rows', 'met', 4],
      ['cost', 'missed', null],
    ]),
  )
  const told = tellAccount(await runAccount(caller(), run!.id))
  expect(told).toContain('confidence: 0.83 to 0.91 in 2 values, 1.74 in all')
  expect(told).toContain('members_found (source web): 3')
  expect(told).toContain('cohesion, at least 0.5: missed, with 0.2')
  expect(told).toContain('rows (output report.rows), at most 10: met, with 4')
  expect(told).toContain('cost, at most 5: missed, there is no value')
})

test('each bound is an error with its code where the handler says too much, and another attempt is not made', async () => {
  const many = (n: number, say: (n: number) => void) => {
    for (let one = 0; one < n; one++) say(one)
  }
  const permanent = (code: string) => ({ code, attempts: 1 })
  expect(await refusalOf(({ progress }) => progress(-1))).toEqual(permanent('progress_invalid'))
  expect(await refusalOf(({ metric }) => metric('No', 1))).toEqual(permanent('metric_invalid'))
  expect(await refusalOf(({ metric }) => metric('m', Number.NaN))).toEqual(permanent('metric_invalid'))
  expect(await refusalOf(({ metric }) => many(21, (n) => metric(`m${n}`, n)))).toEqual(
    permanent('metrics_too_many'),
  )
  expect(await refusalOf(({ metric }) => many(101, (n) => metric('m', n, { n: String(n) })))).toEqual(
    permanent('metrics_too_many'),
  )
  expect(await refusalOf(({ setMetadata }) => setMetadata({ a: 'x'.repeat(65_536) }))).toEqual(
    permanent('json_too_large'),
  )
  expect(await refusalOf(({ stream }) => stream.write('x'.repeat(65_536)))).toEqual(
    permanent('json_too_large'),
  )
  expect(await refusalOf(({ stream }) => many(10_001, (n) => void stream.write(n)))).toEqual(
    permanent('stream_unawaited'),
  )
})

test('a bound that several steps share fails the attempt that ran into it, though its handler returned', async () => {
  const names = (from: number) => Array.from({ length: 15 }, (_, n) => `m${from + n}`)
  const shared = pipeline('shared')
    .step('one', ({ metric }) => {
      for (const name of names(0)) metric(name, 1)
    })
    .step('two', ({ metric }) => {
      for (const name of names(10)) metric(name, 2)
    })
  await opened.worker({ pipelines: [shared] })
  const client = opened.client()
  const { run } = await client.start(shared, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await runOf(database, run!.id)).error).toMatchObject({ code: 'metrics_too_many', step: 'two' })
})

test('a write beyond the last part of a stream rejects, and fails a handler that awaits none', async () => {
  const full = async (): Promise<void> => {
    await database.query('update millrace.run_metadata set parts = 100000')
  }
  const awaited = await refusalOf(async ({ stream }) => {
    await stream.write('first')
    await full()
    await stream.write('too much')
  })
  expect(awaited).toEqual({ code: 'stream_full', attempts: 1 })
  const unawaited = await refusalOf(async ({ stream }) => {
    await stream.write('first')
    await full()
    void stream.write('too much')
  })
  expect(unawaited).toEqual({ code: 'stream_full', attempts: 1 })
})

test('a stream gives each part once and in order, from any position, whether its writer awaits or not', async () => {
  const words = pipeline('words')
    .step('speak', async ({ stream }) => {
      for (let n = 0; n < 300; n++) {
        const written = stream.write({ n })
        if (n % 50 === 0) await written
      }
    })
    .step('answer', ({ stream }) => {
      void stream.write('last')
    })
  await opened.worker({ pipelines: [words] })
  const client = opened.client()
  const { run } = await client.start(words, null)
  const parts = await read(client, run!.id)
  expect(parts.map(({ position }) => position)).toEqual(Array.from({ length: 301 }, (_, n) => n))
  expect(parts.slice(0, 300).map(({ value }) => value)).toEqual(
    Array.from({ length: 300 }, (_, n) => ({ n })),
  )
  expect(parts[300]).toEqual({
    position: 300,
    value: 'last',
    step: 'answer',
    item: null,
    attempt: 1,
    writtenAt: expect.any(Date),
  })
  expect((await read(client, run!.id, 299)).map(({ value }) => value)).toEqual([{ n: 299 }, 'last'])
  expect(await read(client, run!.id, 301)).toEqual([])
})

test('a part is read while its step goes on, without a look in between, and the following ends with the run', async () => {
  const [heard, ended] = [new Arrival(), new Arrival()]
  const live = pipeline('live').step('speak', async ({ stream }) => {
    await stream.write('one')
    await heard.come
    await stream.write('two')
    await ended.come
  })
  await opened.worker({ pipelines: [live] })
  const client = opened.client()
  const { run } = await client.start(live, null)
  const seen: unknown[] = []
  for await (const { value } of client.run(run!).stream()) {
    seen.push(value)
    if (value === 'one') heard.arrive()
    else ended.arrive()
  }
  expect(seen).toEqual(['one', 'two'])
})

test('what a run writes for nobody notifies nobody', async () => {
  const quiet = pipeline('quiet').step('speak', ({ stream }) => stream.write('alone'))
  await opened.worker({ pipelines: [quiet] })
  const heard: string[] = []
  const connection = await database.pool.connect()
  try {
    connection.on('notification', ({ channel }) => heard.push(channel))
    await connection.query('listen millrace_part')
    const client = opened.client()
    const { run } = await client.start(quiet, null)
    await client.run(run!).result()
    await connection.query('select 1')
    expect(heard).toEqual([])
  } finally {
    connection.release(true)
  }
})

test('a reader leaves by its signal, and by leaving its loop', async () => {
  const goOn = new Arrival()
  const long = pipeline('long').step('speak', async ({ stream }) => {
    await stream.write('one')
    await goOn.come
  })
  await opened.worker({ pipelines: [long] })
  const client = opened.client()
  const { run } = await client.start(long, null)
  const abort = new AbortController()
  const seen: unknown[] = []
  for await (const { value } of client.run(run!).stream({ abort: abort.signal })) {
    seen.push(value)
    setImmediate(() => abort.abort())
  }
  for await (const { value } of client.run(run!).stream()) {
    seen.push(value)
    break
  }
  expect(seen).toEqual(['one', 'one'])
  const refused = expect(client.run(run!).stream({ from: 1 }).next()).rejects.toMatchObject({
    code: 'client_closed',
  })
  await client.close()
  await refused
  goOn.arrive()
})

test('the stream of a run that is not there, and a position that is none, are refused', async () => {
  const client = opened.client()
  const none = '00000000-0000-7000-8000-000000000000'
  await expect(read(client, none)).rejects.toMatchObject({ code: 'run_unknown' })
  await expect(read(client, none, -1)).rejects.toMatchObject({ code: 'argument_invalid' })
  await expect(read(client, none, 1.5)).rejects.toMatchObject({ code: 'argument_invalid' })
  await expect(client.run(none).progress()).rejects.toMatchObject({ code: 'run_unknown' })
})

test('A3 of two workers, the one that lost its attempt writes nothing more, and its write rejects', async () => {
  const [began, reclaimed, tried] = [new Arrival(), new Arrival(), new Arrival<unknown>()]
  const fenced = pipeline('fenced').step(
    'speak',
    async ({ stream, metric, progress, setMetadata, attempt }) => {
      if (attempt > 1) {
        await stream.write('second')
        metric('by_attempt', attempt)
        await tried.come
        return
      }
      await stream.write('first')
      began.arrive()
      await reclaimed.come
      const written = stream.write('zombie').then(
        () => 'written',
        (error: unknown) => error,
      )
      metric('by_attempt', 99)
      progress(99)
      setMetadata({ by: 'zombie' })
      tried.arrive(await written)
    },
  )
  // Silent for longer than its lease, it does not know yet that it is gone.
  await opened.worker({ pipelines: [fenced], leaseSeconds: 180, heartbeatMs: 60_000 })
  const client = opened.client()
  const { run } = await client.start(fenced, null)
  await began.come
  await database.clock.advance('1 hour')
  expect(await sweep(database)).toBe(1)
  reclaimed.arrive()
  await opened.worker({ pipelines: [fenced] })
  const refusal = await tried.come
  expect(refusal).toMatchObject({ name: 'AttemptAborted' })
  await client.run(run!).result()
  const parts = await read(client, run!.id)
  expect(parts.map(({ value, attempt }) => [value, attempt])).toEqual([
    ['first', 1],
    ['second', 2],
  ])
  const { metrics, metadata, steps } = await client.run(run!).progress()
  expect(metrics).toMatchObject([{ name: 'by_attempt', last: 2, values: 1 }])
  expect(metadata).toEqual({})
  expect(steps).toEqual([])
})

test('parts whose answer was lost are sent again and written once, in their order', async () => {
  const proxy = await openProxy(database.url)
  const lostOnTheWay = async (write: () => Promise<void>): Promise<void> => {
    const lost = proxy.loseAnswerTo('millrace_report_tasks')
    const written = write()
    await lost
    await until('the part is stored', async () => {
      const [row] = await database.query<{ parts: number }>(
        'select max(parts) as parts from millrace.run_metadata',
      )
      return row?.parts === 6
    })
    proxy.cut()
    await written
  }
  const cut = pipeline('cut').step('speak', async ({ stream }) => {
    for (let n = 0; n < 20; n++) {
      const written = n === 5 ? lostOnTheWay(() => stream.write(n)) : stream.write(n)
      await written
    }
  })
  await opened.worker({ pipelines: [cut], database: proxy.through(database.url) })
  const client = opened.client()
  const { run } = await client.start(cut, null)
  const parts = await read(client, run!.id)
  expect(parts.map(({ value }) => value)).toEqual(Array.from({ length: 20 }, (_, n) => n))
  await opened.close()
  await proxy.close()
})

test('a tx step says things outside its transaction, also where that is rolled back', async () => {
  const failing = pipeline('failing', { retry: { attempts: 1 } }).step(
    'store',
    { tx: true },
    async ({ progress, stream }) => {
      progress(1, 2)
      await stream.write('before')
      throw new Error('undone')
    },
  )
  await opened.worker({ pipelines: [failing] })
  const client = opened.client()
  const { run } = await client.start(failing, null)
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect((await read(client, run!.id)).map(({ value }) => value)).toEqual(['before'])
  expect((await client.run(run!).progress()).steps).toMatchObject([{ done: 1, total: 2 }])
})

test('what a handler says again and again is one row and few statements, and the last word is stored with its end', async () => {
  const chatty = pipeline('chatty').step('talk', async ({ progress, metric }) => {
    for (let n = 1; n <= 2_000; n++) {
      progress(n, 2_000)
      metric('done', n)
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  })
  await opened.worker({ pipelines: [chatty] })
  const client = opened.client()
  const statements = countStatements()
  const { run } = await client.start(chatty, null)
  await client.run(run!).result()
  statements.stop()
  const calls = statements.sent.filter((name) => name === 'millrace_report_tasks').length
  expect(calls).toBeGreaterThanOrEqual(1)
  expect(calls).toBeLessThan(10)
  const { steps, metrics } = await client.run(run!).progress()
  expect(steps).toMatchObject([{ done: 2_000 }])
  expect(metrics).toMatchObject([{ name: 'done', last: 2_000, values: 1 }])
})

test('a handler that says nothing costs no statement more', async () => {
  const silent = pipeline('silent').step('work', ({ input }) => input)
  const statements = countStatements()
  await opened.worker({ pipelines: [silent] })
  await atRest(statements)
  const client = opened.client()
  const { run } = await client.start(silent, null)
  await client.run(run!).result()
  statements.stop()
  expect(statements.sent.filter((name) => name === 'millrace_report_tasks')).toEqual([])
})
