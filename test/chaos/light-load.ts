// The mass of the load: light runs, started in bulk, as many in a second as asked for. What a fault has held up is made up for later.
import { setTimeout as pause } from 'node:timers/promises'
import type { PipelineDefinition } from '../../src/sdk/pipeline-definition.ts'
import { seededRandom } from '../faults/random.ts'
import { light, type LightInput, turnLanes } from './light-pipelines.ts'
import type { Nonces } from './nonces.ts'
import type { Stage } from './stage.ts'
import type { Tally } from './tally.ts'

export interface LightLive {
  readonly all: number
  /** Of the narrow ones, which go slowly. */
  readonly turns: number
}

interface Kind {
  readonly pipeline: PipelineDefinition
  /** Of all bulks, together 1. */
  readonly share: number
  readonly runsMax: number
  /** What a run adds to its number. */
  readonly adds: number
}

const kinds: readonly Kind[] = [
  { pipeline: light.turn, share: 0.2, runsMax: 40, adds: 1 },
  { pipeline: light.effect, share: 0.1, runsMax: 20, adds: 1 },
  { pipeline: light.stumble, share: 0.15, runsMax: 40, adds: 1 },
  { pipeline: light.chain, share: 0.2, runsMax: 200, adds: 2 },
  { pipeline: light.hopeless, share: 0.02, runsMax: 5, adds: 0 },
  { pipeline: light.one, share: 0.33, runsMax: 200, adds: 1 },
]
const tickMs = 100
const underWayMax = 3
const turnsMax = 40
/** What could not be started for longer than this is not made up for. */
const owedSeconds = 30
/** What is started in so many seconds is live at most: a longer queue would look as if it stood still while this machine is busy. */
const liveSeconds = 2
const afterFailureMs = 300

export class LightLoad {
  readonly acknowledged: string[] = []
  readonly #stage: Stage
  readonly #rate: number
  readonly #random: () => number
  readonly #live: () => LightLive
  readonly #tally: Tally
  readonly #nonces: Nonces
  #stopped = false
  #underWay = 0
  /** Started since the last count of what is live. */
  #uncounted = 0

  constructor(
    stage: Stage,
    options: { readonly seed: number; readonly light: number },
    {
      live,
      tally,
      nonces,
    }: { readonly live: () => LightLive; readonly tally: Tally; readonly nonces: Nonces },
  ) {
    this.#stage = stage
    this.#rate = options.light
    this.#random = seededRandom(options.seed + 17)
    this.#live = live
    this.#tally = tally
    this.#nonces = nonces
  }

  /** Until it is told to stop. */
  async run(): Promise<void> {
    let at = performance.now()
    for (let budget = 0; !this.#stopped; await pause(tickMs)) {
      const now = performance.now()
      budget = Math.min(budget + (this.#rate * (now - at)) / 1_000, this.#rate * owedSeconds)
      at = now
      while (budget >= 1 && this.#hasRoom) {
        const kind = this.#pick()
        const runs = Math.min(kind.runsMax, Math.ceil(budget))
        budget -= runs
        this.#begin(kind, runs)
      }
    }
    while (this.#underWay > 0) await pause(20)
  }

  /** One run of each kind: a share may not come up in a short time, and what is asked of its runs would be asked of none. */
  async startEach(): Promise<void> {
    for (const kind of kinds) await this.#start(kind, 1)
  }

  stop(): void {
    this.#stopped = true
  }

  /** What is live was counted anew. */
  counted(): void {
    this.#uncounted = 0
  }

  get #hasRoom(): boolean {
    return this.#underWay < underWayMax && this.#live().all + this.#uncounted < this.#rate * liveSeconds
  }

  #pick(): Kind {
    let draw = this.#random()
    for (const kind of kinds) {
      draw -= kind.share
      if (draw < 0 && (kind.pipeline !== light.turn || this.#live().turns < turnsMax)) return kind
    }
    return kinds.at(-1)!
  }

  #begin(kind: Kind, runs: number): void {
    this.#underWay++
    this.#uncounted += runs
    this.#start(kind, runs)
      .catch(async (error: unknown) => {
        this.#tally.failed('A start of light runs', error)
        await pause(afterFailureMs)
      })
      .finally(() => this.#underWay--)
  }

  async #start({ pipeline, adds }: Kind, runs: number): Promise<void> {
    const inputs = Array.from({ length: runs }, (): LightInput => {
      const n = Math.floor(this.#random() * 1_000)
      const lane = Math.floor(this.#random() * turnLanes)
      return {
        n,
        lane,
        expected: n + adds,
        fails: pipeline === light.hopeless,
        nonce: this.#nonces.next(),
      }
    })
    const answers = await this.#tally.ask('light runs', () =>
      this.#stage.parts.client.startMany(pipeline, inputs),
    )
    for (const { run } of answers) this.acknowledged.push(run!.id)
  }
}
