// The load of the chaos: what clients do while faults happen, from a seed, and what of it was acknowledged.
import { setTimeout as pause } from 'node:timers/promises'
import type { WebhookHandler } from '../../src/sdk/webhook-handler.ts'
import { seededRandom } from '../faults/random.ts'
import { send } from '../webhook-sender.ts'
import { inOwnTransaction } from './own-transaction.ts'
import { type LightLive, LightLoad } from './light-load.ts'
import { booking, hooksName, inbox, type Loaded, randomPipelines, signalOf } from './pipelines.ts'
import { expectedOutput, type LoadInput } from './recipes.ts'
import { Refusal } from './refusals.ts'
import { type Stage, webhookKey } from './stage.ts'
import { Tally } from './tally.ts'
import { ThingWriter } from './thing-writer.ts'

export interface LoadOptions {
  readonly seed: number
  /** Runs that are to be started in a second. */
  readonly rate: number
  /** While so many runs are live no other is started. */
  readonly liveMax: number
  /** Light runs that are to be started in a second, beside them. */
  readonly light: number
}

/** What was acknowledged, and what was asked whether it was acknowledged or not. */
export interface Acknowledged {
  readonly runs: string[]
  readonly deliveries: string[]
  readonly askedToCancel: string[]
}

const tickMs = 100
const underWayMax = 16
const shops = 7
const webhookTries = 60
/** What a sender is told that is to come again later. */
const laterStatuses: ReadonlySet<number> = new Set([429, 503])

export class Load {
  readonly #acknowledged: Acknowledged = { runs: [], deliveries: [], askedToCancel: [] }
  readonly tally = new Tally()
  readonly #stage: Stage
  readonly #options: LoadOptions
  readonly #random: () => number
  readonly #pipelines: readonly Loaded[]
  readonly #payloads: ReadonlyMap<string, number>
  readonly #handler: WebhookHandler
  readonly #things: ThingWriter
  readonly #light: LightLoad
  #lightLive: LightLive = { all: 0, turns: 0 }
  #stopped = false
  #live = 0
  #underWay = 0
  #deliveries = 0

  constructor(stage: Stage, options: LoadOptions) {
    this.#stage = stage
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.#pipelines = [...randomPipelines(options.seed, 0), ...randomPipelines(options.seed, 1)]
    this.#payloads = new Map(
      this.#pipelines.flatMap(({ recipe: { slug, steps } }) =>
        steps.map((step) => [`${slug} ${signalOf(step)}`, step.n] as const),
      ),
    )
    this.#handler = stage.parts.client.webhooks.handler([inbox])
    this.#things = new ThingWriter(stage.parts.pool, this.#random)
    this.#light = new LightLoad(stage, options, { live: () => this.#lightLive, tally: this.tally })
  }

  get acknowledged(): Acknowledged {
    return { ...this.#acknowledged, runs: [...this.#acknowledged.runs, ...this.#light.acknowledged] }
  }

  get pipelines(): readonly Loaded[] {
    return this.#pipelines
  }

  /** Runs of which something is still to be done. */
  get live(): number {
    return this.#live + this.#lightLive.all
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** Until it is told to stop. */
  async run(): Promise<void> {
    const lookedAfter = this.#lookAfter(() => this.#stopped)
    const light = this.#light.run()
    for (let budget = 0; !this.#stopped; await pause(tickMs)) {
      budget = Math.min(budget + (this.#options.rate * tickMs) / 1_000, this.#options.rate)
      while (budget >= 1 && this.#live < this.#options.liveMax && this.#underWay < underWayMax) {
        const starts = 1 + Math.floor(this.#random() * Math.min(budget, 20))
        budget -= starts
        this.#live += starts
        this.#begin(() => this.#act(starts))
      }
    }
    await Promise.all([lookedAfter, light])
    while (this.#underWay > 0) await pause(20)
  }

  stop(): void {
    this.#stopped = true
    this.#light.stop()
  }

  /** Gives what is left all that it waits for, until nothing is left or this says so. */
  async settle(isOver: () => boolean): Promise<void> {
    await this.#lookAfter(() => isOver() || this.live === 0)
  }

  #begin(act: () => Promise<void>): void {
    this.#underWay++
    act()
      .catch(async (error: unknown) => {
        this.tally.failed('What the load asked for', error)
        await pause(200)
      })
      .finally(() => this.#underWay--)
  }

  async #act(starts: number): Promise<void> {
    const choice = this.#random()
    if (choice < 0.7) return this.#startMany(starts)
    if (choice < 0.78) return this.#startTwice()
    if (choice < 0.84) return this.#book()
    if (choice < 0.9) return this.#deliver()
    const changes = 1 + Math.floor(this.#random() * 4)
    return this.tally.ask('changes', () => this.#things.write(changes))
  }

  async #startMany(starts: number): Promise<void> {
    const loaded = this.#pick()
    const inputs = Array.from({ length: starts }, () => this.#input(loaded))
    const answers = await this.tally.ask('runs', () =>
      this.#stage.parts.client.startMany(loaded.pipeline, inputs),
    )
    for (const { run } of answers) await this.#started(loaded, run!.id)
  }

  /** The same start from two at once: one run. */
  async #startTwice(): Promise<void> {
    const loaded = this.#pick()
    const input = this.#input(loaded)
    const idempotencyKey = `twice-${this.#random()}`
    const start = () => this.#stage.parts.client.start(loaded.pipeline, input, { idempotencyKey })
    const [first, second] = await this.tally.ask('a run twice', () => Promise.all([start(), start()]))
    if (first.run!.id !== second.run!.id)
      this.tally.broken.push(`One idempotency key gave two runs: ${first.run!.id} and ${second.run!.id}`)
    await this.#started(loaded, first.run!.id)
  }

  /** A start in a transaction of the application's own, half of which are rolled back. */
  async #book(): Promise<void> {
    const keeps = this.#random() < 0.5
    const { pool, client } = this.#stage.parts
    const id = await this.tally.ask('a booking', () =>
      inOwnTransaction(pool, keeps, async (tx) => {
        const { run } = await client.start(booking, { n: 1 }, { tx })
        await tx.query('insert into public.booked values ($1)', [run!.id])
        return run!.id
      }),
    )
    if (keeps) this.#acknowledged.runs.push(id)
  }

  /** As a sender does: again and again under the same id until it is accepted, and now and then once more. */
  async #deliver(): Promise<void> {
    const options = { id: `msg_${this.#options.seed}_${this.#deliveries++}`, secret: webhookKey }
    const again = this.#random() < 0.3
    const sending = () => send(this.#handler, hooksName, { n: 1 }, options)
    await this.tally.ask('a delivery', async () => {
      for (let tries = 1; ; tries++) {
        const { status } = await sending()
        if (status === 202) return
        if (tries === webhookTries) throw notTaken(options.id, status)
        await pause(300)
      }
    })
    this.#acknowledged.deliveries.push(options.id)
    if (again) await sending()
  }

  async #started({ recipe }: Loaded, run: string): Promise<void> {
    this.#acknowledged.runs.push(run)
    const draw = this.#random()
    if (draw < 0.02) {
      this.#acknowledged.askedToCancel.push(run)
      await this.#stage.parts.client.run(run).cancel('not wanted any more')
    } else if (draw < 0.03) await this.#stage.parts.client.run(run).pause('for a while')
    else if (draw < 0.5)
      // Early signals are kept until somebody waits for them.
      for (const step of recipe.steps)
        if (step.kind === 'signal') await this.#signal(recipe.slug, run, signalOf(step))
  }

  async #signal(slug: string, run: string, name: string): Promise<void> {
    const payload = { n: this.#payloads.get(`${slug} ${name}`) }
    await this.#stage.parts.client
      .signal(name, payload, { run, idempotencyKey: `${run} ${name}` })
      .catch((error: { code?: string }) => {
        if (error.code !== 'run_ended') throw error as Error
      })
  }

  /** What people do beside the starts: signals that somebody waits for, paused runs, dead letters; and it counts what is live. */
  async #lookAfter(isOver: () => boolean): Promise<void> {
    const { pool, client } = this.#stage.parts
    while (!isOver()) {
      await pause(250)
      try {
        await this.#countLive()
        const waits = await pool.query<{ run_id: string; slug: string; name: string }>(
          `select w.run_id, r.slug, w.signal_names[1] as name from millrace.wait w join millrace.run r on r.id = w.run_id
            where w.kind = 'signal' and w.created_at < clock_timestamp() - interval '500 milliseconds' limit 100`,
        )
        for (const { run_id: run, slug, name } of waits.rows) await this.#signal(slug, run, name)
        const paused = await pool.query<{ run_id: string }>(
          `select distinct run_id from (select run_id from millrace.task where paused union all select run_id from millrace.waiting_task where paused) p limit 100`,
        )
        for (const { run_id: run } of paused.rows) await client.run(run).resume()
        const dead = await pool.query<{ run_id: string }>(
          'select run_id from millrace.dead_letter order by run_id limit 20',
        )
        for (const { run_id: run } of dead.rows) await client.run(run).redrive()
      } catch (error) {
        // Where the server is away: later then.
        this.tally.failed('What people do beside the starts', error)
      }
    }
  }

  async #countLive(): Promise<void> {
    const { rows } = await this.#stage.parts.pool.query<{ rich: number; light: number; turns: number }>(
      `select (count(distinct l.run_id) filter (where d.slug not like 'chaos-light-%'))::int as rich,
              (count(distinct l.run_id) filter (where d.slug like 'chaos-light-%'))::int as light,
              (count(distinct l.run_id) filter (where d.slug = 'chaos-light-turn'))::int as turns
         from (select run_id, step_id from millrace.task union all select run_id, step_id from millrace.waiting_task) l
         join millrace.step_definition d on d.id = l.step_id`,
    )
    const { rich, light, turns } = rows[0]!
    this.#live = rich
    this.#lightLive = { all: light, turns }
    this.#light.counted()
  }

  #pick(): Loaded {
    return this.#pipelines[Math.floor(this.#random() * this.#pipelines.length)]!
  }

  #input({ recipe }: Loaded): LoadInput {
    const n = Math.floor(this.#random() * 1_000)
    return {
      n,
      shop: Math.floor(this.#random() * shops),
      fails: this.#random() < 0.02,
      expected: expectedOutput(recipe, n),
    }
  }
}

function notTaken(id: string, status: number): Error {
  const sentence = `the delivery ${id} was not taken ${webhookTries} times, at last with ${status}`
  return laterStatuses.has(status) ? new Refusal(sentence) : new Error(sentence)
}
