// What a buffer of reports remembers, and that it is bounded, however long the database is away.
import { expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { ReportBuffer } from './report-buffer.ts'

const held = { runId: 'a', step: 'fetch', item: -1, attempt: 1 }

/** A database that can be away, and what was sent to it. */
function bufferOf(bufferMax: number, onDropped?: (error: MillraceError) => void) {
  const database = {
    away: true,
    opened: 0,
    statements: [] as Array<{ text: string; values: readonly unknown[] }>,
  }
  const caller: Caller = {
    call: ({ text }, values) => {
      database.statements.push({ text, values })
      return Promise.resolve([])
    },
  }
  const open = () => {
    database.opened++
    return database.away
      ? Promise.reject(new MillraceError('database_unreachable', 'It is away.'))
      : Promise.resolve(caller)
  }
  return { database, buffer: new ReportBuffer({ bufferMax, ...(onDropped && { onDropped }) }, open) }
}

test('once a try has found the database away, nothing new waits for it until the buffer has tried again', async () => {
  const { database, buffer } = bufferOf(10)
  expect(await buffer.report('a', async () => 'told')).toBe('buffered')
  for (const run of ['a', 'b']) expect(await buffer.report(run, async () => 'told')).toBe('buffered')
  expect(await buffer.ask(held, async () => 'asked')).toBeUndefined()
  expect(database.opened).toBe(1)
  database.away = false
  expect(await buffer.report('c', async () => 'told')).toBe('buffered')
  expect(await buffer.flush()).toBe(true)
  expect(await buffer.report('d', async () => 'told')).toBe('told')
  expect(await buffer.ask(held, async () => 'asked')).toBe('asked')
  await buffer.close()
})

test('what is kept is sent by itself, also where new reports come without a pause', async () => {
  const { database, buffer } = bufferOf(1_000_000)
  let sent = false
  await buffer.report('a', async () => void (sent = true))
  database.away = false
  await until('the first one is sent', async () => {
    for (let n = 0; n < 100; n++) await buffer.report('b', async () => {})
    return sent
  })
  await buffer.close()
})

test('a report at which the database fails time and again is dropped after ten tries, and told; one that it refuses for what it says is not tried again', async () => {
  const dropped: MillraceError[] = []
  const { database, buffer } = bufferOf(10, (error) => dropped.push(error))
  let [tries, refusals, told] = [0, 0, false]
  await buffer.report('a', () => {
    tries++
    throw new TypeError('it is broken')
  })
  await buffer.report('a', () => {
    refusals++
    throw new MillraceError('attempt_lost', 'It is lost.')
  })
  await buffer.report('a', async () => void (told = true))
  expect(await buffer.flush()).toBe(false)
  expect(tries).toBe(0)
  database.away = false
  for (let n = 1; n < 10; n++) {
    expect(await buffer.flush()).toBe(false)
    expect(tries).toBe(n)
  }
  expect(await buffer.flush()).toBe(true)
  expect([tries, refusals, told]).toEqual([10, 1, true])
  expect(dropped).toMatchObject([{ code: 'report_failed', fields: { runId: 'a' } }])
  const [, , reports, refused, lost] = database.statements[0]!.values
  expect([reports, refused, lost]).toEqual([1, 1, 1])
  await buffer.close()
})

test('where a right is missing, the first report that needs it has ten tries, and the others one', async () => {
  const dropped: MillraceError[] = []
  const { database, buffer } = bufferOf(10, (error) => dropped.push(error))
  const refused = () => {
    throw Object.assign(new Error('permission denied for function log_step'), {
      code: '42501',
      severity: 'ERROR',
    })
  }
  let told = 0
  for (let n = 0; n < 3; n++) {
    await buffer.report('a', refused)
    await buffer.report('a', async () => void told++)
  }
  database.away = false
  for (let n = 1; n < 10; n++) expect(await buffer.flush()).toBe(false)
  expect(await buffer.flush()).toBe(true)
  expect(told).toBe(3)
  expect(dropped.map(({ message }) => /failed at it.*: /.exec(message)?.[0])).toEqual([
    'failed at it 10 times, at last with: Error: ',
    'failed at it with: Error: ',
    'failed at it with: Error: ',
  ])
  // With everything sent, the next one has its tries again.
  database.away = true
  await buffer.report('a', async () => {})
  await buffer.report('a', refused)
  database.away = false
  expect(await buffer.flush()).toBe(false)
  await buffer.close()
})

test('a report that the database fails at holds up no question about a step that it knows', async () => {
  const { database, buffer } = bufferOf(10)
  await buffer.report('a', () => {
    throw Object.assign(new Error('the statement took too long'), {
      code: '57014',
      severity: 'ERROR',
    })
  })
  expect(await buffer.ask(held, async () => 'asked')).toBeUndefined()
  database.away = false
  expect(await buffer.flush()).toBe(false)
  expect(await buffer.ask(held, async () => 'asked')).toBe('asked')
  expect(await buffer.ask({ ...held, attempt: null }, async () => 'asked')).toBeUndefined()
  database.away = true
  expect(await buffer.ask(held, async () => 'asked')).toBeUndefined()
  await buffer.close()
})

test('a report says of itself whether it comes late: only what was begun without the database is remembered', async () => {
  const { database, buffer } = bufferOf(10)
  const late: boolean[] = []
  const send = async (_caller: Caller, isLate: boolean) => void late.push(isLate)
  expect(await buffer.report('a', send)).toBe('buffered')
  database.away = false
  expect(await buffer.flush()).toBe(true)
  await buffer.report('b', send)
  expect(late).toEqual([true, false])
  await buffer.close()
})

test('the gaps of no more runs are told than reports are kept, however many starts were dropped meanwhile', async () => {
  const { database, buffer } = bufferOf(3)
  for (let run = 0; run < 50; run++)
    expect(await buffer.report(`run ${run}`, async () => {})).toBe('buffered')
  database.away = false
  expect(await buffer.flush()).toBe(true)
  expect(database.statements.map(({ values }) => values[0])).toEqual(['run 0', 'run 1', 'run 2'])
  await buffer.close()
})

test('what became of runs and steps is known of the last ten thousand', () => {
  const { buffer } = bufferOf(3)
  for (let run = 0; run <= 10_000; run++) {
    buffer.isReally(`provisional ${run}`, `real ${run}`)
    buffer.isAttempt({ runId: `provisional ${run}`, step: 'fetch', item: -1, attempt: null }, 1)
  }
  expect(buffer.realRun('provisional 0')).toBe('provisional 0')
  expect(buffer.realRun('provisional 1')).toBe('real 1')
  expect(buffer.attemptOf({ runId: 'provisional 0', step: 'fetch', item: -1, attempt: null })).toBeUndefined()
  expect(buffer.attemptOf({ runId: 'provisional 1', step: 'fetch', item: -1, attempt: null })).toBe(1)
})

test('a report that was kept finds the attempt and the run of the start kept before it, however many were kept in between', async () => {
  const { database, buffer } = bufferOf(30_000)
  const count = 10_001
  const holdOf = (run: number) => ({ runId: `provisional ${run}`, step: 'fetch', item: -1, attempt: null })
  for (let run = 0; run < count; run++) {
    await buffer.report(`provisional ${run}`, async () => {
      buffer.isReally(`provisional ${run}`, `real ${run}`)
      buffer.isAttempt(holdOf(run), 1)
    })
  }
  const lost: string[] = []
  for (let run = 0; run < count; run++) {
    const runId = `provisional ${run}`
    await buffer.report(runId, async () => {
      if (buffer.realRun(runId) === runId || buffer.attemptOf(holdOf(run)) === undefined) lost.push(runId)
    })
  }
  database.away = false
  expect(await buffer.flush()).toBe(true)
  expect(lost).toEqual([])
  expect(database.statements[0]!.values[0]).toBe('real 0')
  await buffer.close()
})

test('what is remembered once more is not the oldest', () => {
  const { buffer } = bufferOf(3)
  for (let run = 0; run <= 10_000; run++) {
    buffer.isReally('again', 'real')
    if (run > 0) buffer.isReally(`provisional ${run}`, `real ${run}`)
  }
  expect(buffer.realRun('again')).toBe('real')
  expect(buffer.realRun('provisional 1')).toBe('provisional 1')
})
