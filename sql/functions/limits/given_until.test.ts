// Times that a rate has given to who left without beginning: others get them, and nobody's time is given twice.
import { beforeAll, expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { seededDraws } from '../../../test/millrace.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  pauseRun,
  promote,
  resumeRun,
  runsOf,
  startInputs,
  type Worker,
} from '../../../test/protocol.ts'

const { database } = await openMeeting()

beforeAll(() => database.clock.freeze())

async function paced(slug: string, burst: number): Promise<Worker> {
  const worker = await workerOf(database, slug, chain('only'))
  await defineLimit(database, slug, { kind: 'rate', units: 1, per_ms: 1_000, burst }, slug)
  return worker
}

const start = (slug: string, count: number) =>
  startInputs(
    database,
    slug,
    Array.from({ length: count }, (_, n) => n),
  )

async function begun(worker: Worker): Promise<string[]> {
  await promote(database)
  return runsOf(await claim(database, worker, 100))
}

async function cancel(runs: readonly string[]): Promise<void> {
  for (const run of runs) await cancelRun(database, run)
}

test.each([1, 3])(
  'after a backlog is cancelled, a rate with a burst of %d goes on as if it had never been',
  async (burst) => {
    const slug = `cancelled-${burst}`
    const worker = await paced(slug, burst)
    const mistaken = await start(slug, 50)
    expect(await begun(worker)).toEqual(mistaken.slice(0, burst))
    await cancel(mistaken)
    const runs = await start(slug, 3)
    expect(await begun(worker)).toEqual([])
    for (const run of runs) {
      await database.clock.advance('1s')
      expect(await begun(worker)).toEqual([run])
    }
  },
)

test('behind those who stay comes whoever is new, at the next free time', async () => {
  const worker = await paced('behind', 1)
  const runs = await start('behind', 10)
  expect(await begun(worker)).toEqual([runs[0]])
  await cancel([runs[2]!, ...runs.slice(4)])
  const [next] = await start('behind', 1)
  const seen: string[][] = []
  for (let seconds = 0; seconds < 5; seconds++) {
    seen.push(await begun(worker))
    await database.clock.advance('1s')
  }
  expect(seen).toEqual([[], [runs[1]], [], [runs[3]], [next]])
})

test('whoever is paused and resumed again and again while it waits for a rate begins no later for it', async () => {
  const worker = await paced('resumed', 1)
  const [first, second] = await start('resumed', 2)
  expect(await begun(worker)).toEqual([first])
  for (let n = 0; n < 5; n++) {
    await pauseRun(database, second!)
    await resumeRun(database, second!)
    expect(await begun(worker)).toEqual([])
  }
  await database.clock.advance('1s')
  expect(await begun(worker)).toEqual([second])
})

test('whatever is cancelled, paused and resumed meanwhile, no second begins more than its units', async () => {
  const draw = seededDraws('given')
  const worker = await paced('drawn', 2)
  const live: string[] = []
  const begins: number[] = []
  for (let tenths = 0; tenths < 400; tenths++) {
    if (draw() < 0.1) live.push(...(await start('drawn', Math.ceil(draw() * 3))))
    const [run] = live.splice(Math.floor(draw() * live.length), draw() < 0.1 ? 1 : 0)
    if (run !== undefined && draw() < 0.7) await cancelRun(database, run)
    else if (run !== undefined && (await pauseRun(database, run))) await resumeRun(database, run)
    const now = await begun(worker)
    begins.push(...now.map(() => tenths))
    for (const one of now) if (live.includes(one)) live.splice(live.indexOf(one), 1)
    await database.clock.advance('100ms')
  }
  expect(begins.length).toBeGreaterThan(15)
  // A unit each second, two of them at once after a rest.
  for (const [n, tenths] of begins.entries()) {
    const later = begins.slice(n)
    expect(later.every((other, m) => m + 1 <= 2 + (other - tenths) / 10)).toBe(true)
  }
})
