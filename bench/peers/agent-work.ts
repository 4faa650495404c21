// What a process with one peer in it does when its parent tells it to.
import { setTimeout as pause } from 'node:timers/promises'
import { inFlight, millisecondsOf, paced, sharedClockMs } from '../measure.ts'
import type { Durable, DurableRole, Opened, Running, Task } from './peer.ts'

/** How often the parent hears of the tasks that began. */
const tellEveryMs = 2

/** What came of work that a bound of time may have cut short. */
export interface Done {
  readonly done: number
  readonly ms: number
}

/** So many calls, so many of them on their way at once, for so long at most. */
interface SideBySide {
  readonly count: number
  readonly width: number
  readonly limitMs: number
}

/** A task and a moment on the clock that all processes share. */
export type Moment = readonly [n: number, atMs: number]

export type Work = ReturnType<typeof workOf>

export function workOf(peer: Opened) {
  const begun: Moment[] = []
  let running: Running | undefined
  let durable: Durable | undefined
  const tell = teller(() => begun.length)
  return {
    prepare: () => peer.prepare(),
    fillHistory: ({ count }: { count: number }) => able(peer.fillHistory)(count),
    allRecorded: () => able(peer.allRecorded)(),

    /** One by one, so many calls on their way at once. */
    async enqueue({ count, width, limitMs }: SideBySide): Promise<Done> {
      const enqueue = able(peer.enqueue)
      let done = 0
      const within = deadline(limitMs)
      const ms = await millisecondsOf(() =>
        inFlight(width, count, async (n) => {
          if (!within()) return
          await enqueue({ n })
          done++
        }),
      )
      return { done, ms }
    },

    /** All in the fastest way; keys: how many they are, in turn, from that number on. */
    async enqueueMany({
      count,
      keys,
      from = 0,
    }: {
      count: number
      keys: number
      from?: number
    }): Promise<Done> {
      const tasks = Array.from({ length: count }, (_, n): Task => taskOf(from + n, keys))
      const ms = await millisecondsOf(() => able(peer.enqueueMany)(tasks))
      return { done: count, ms }
    },

    /** At an even pace; answers with the moments at which the calls were due. */
    async pace(rate: { ratePerSecond: number; ms: number }): Promise<Moment[]> {
      const enqueue = able(peer.enqueue)
      const due = await paced(rate, (n) => enqueue({ n }))
      return due.map((atMs, n): Moment => [n, atMs])
    },

    /** Some at once, one of each key; answers with the moments of the calls. */
    async burst({ from, count }: { from: number; count: number }): Promise<Moment[]> {
      const enqueue = able(peer.enqueue)
      const moments = Array.from({ length: count }, (_, n): Moment => [from + n, sharedClockMs()])
      await Promise.all(moments.map(([n]) => enqueue({ n, key: `quiet ${n}` })))
      return moments
    },

    /** Works until told to stop; the parent hears how many tasks began. */
    async startWorker({ slots, handlerMs, hang }: { slots?: number; handlerMs?: number; hang?: boolean }) {
      begun.length = 0
      tell.again()
      running = await able(peer.startWorker)({
        ...(slots === undefined ? {} : { slots }),
        handler: async ({ n }) => {
          begun.push([n, sharedClockMs()])
          if (handlerMs !== undefined) await pause(handlerMs)
          if (hang === true) await new Promise<never>(() => {})
        },
      })
    },

    begun: (): Moment[] => begun,

    async stopWorker() {
      await running?.stop()
      running = undefined
    },

    async startDurable({
      inFlight: width,
      role = 'both',
      hang,
    }: {
      inFlight: number
      role?: DurableRole
      hang?: boolean
    }) {
      begun.length = 0
      tell.again()
      durable = await able(peer.startDurable)({
        inFlight: width,
        role,
        onFirstStep: () => {
          begun.push([begun.length, sharedClockMs()])
          return hang === true ? new Promise<never>(() => {}) : undefined
        },
      })
    },

    /** Starts one run and waits for nothing. */
    startRun() {
      able(durable?.threeSteps)().catch(() => {})
    },

    async threeSteps({ count, width, limitMs }: SideBySide): Promise<Done> {
      const run = able(durable?.threeSteps)
      let done = 0
      const within = deadline(limitMs)
      const ms = await millisecondsOf(() =>
        inFlight(width, count, async () => {
          if (!within()) return
          await run()
          done++
        }),
      )
      return { done, ms }
    },

    /** Runs one after the other with a pause between them; how long each took. */
    async threeStepsApart({ count, pauseMs, limitMs }: { count: number; pauseMs: number; limitMs: number }) {
      const run = able(durable?.threeSteps)
      const within = deadline(limitMs)
      const times: number[] = []
      while (times.length < count && (within() || times.length === 0)) {
        await pause(pauseMs)
        times.push(await millisecondsOf(run))
      }
      return times
    },

    fanOut: ({ width }: { width: number }) => millisecondsOf(() => able(durable?.fanOut)(width)),
    manySteps: ({ count }: { count: number }) => millisecondsOf(() => able(durable?.manySteps)(count)),

    async stopDurable() {
      await durable?.stop()
      durable = undefined
    },

    usage() {
      const { user, system } = process.cpuUsage()
      return { cpuSeconds: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024 }
    },

    close: () => peer.close(),
  }
}

/** A method that the parent would not have asked for where the peer says that it has none. */
function able<T>(method: T | undefined): T {
  if (method === undefined) throw new Error('It has no method for this row, and does not say why.')
  return method
}

function taskOf(n: number, keys: number): Task {
  // Not 0, 1, 2, …: neighbours in the queue have different keys whatever the batch.
  return keys === 0 ? { n } : { n, key: `key ${(n * 7_919) % keys}` }
}

function deadline(limitMs: number): () => boolean {
  const ends = performance.now() + limitMs
  return () => performance.now() < ends
}

/** Tells the parent now and then how many tasks began. */
function teller(count: () => number) {
  let told = 0
  const timer = setInterval(() => {
    if (count() === told) return
    told = count()
    process.send?.({ begun: told })
  }, tellEveryMs)
  timer.unref()
  return {
    again: () => {
      told = 0
    },
  }
}
