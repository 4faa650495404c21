// The load of the chaos: what clients do while faults happen, from a seed, and what of it was acknowledged.
import { setTimeout as pause } from 'node:timers/promises'
import type { WebhookHandler } from '../../src/sdk/webhook-handler.ts'
import { seededRandom } from '../faults/random.ts'
import { send } from '../webhook-sender.ts'
import { inOwnTransaction } from './own-transaction.ts'
import { type LightLive, LightLoad } from './light-load.ts'
import { Nonces } from './nonces.ts'
import { booking, hooksName, inbox, type Loaded, randomPipelines, signalOf } from './pipelines.ts'
import { expectedOutput, type LoadInput } from './recipes.ts'
import { Refusal } from './refusals.ts'
import { type Stage, webhookKey } from './stage.ts'
import { type AskedKind, Tally } from './tally.ts'
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

/** What people did to runs that was acknowledged too. */
export interface DoneToRuns {
  /** The idempotency keys of signals. */
  readonly signals: string[]
  /** Runs that were live as they were cancelled. */
  readonly cancelled: string[]
}

const tickMs = 100
const underWayMax = 16
const shops = 7
const webhookTries = 60
/** Within which each kind has to be acknowledged again once nothing is wrong any more. */
const againMs = 10_000
/** What a sender is told that is to come again later. */
const laterStatuses: ReadonlySet<number> = new Set([429, 503])

/** The dead letters that somebody was told to expect, each once: any other one stays, and is told at the end. */
const toRedrive = `
  select l.run_id from millrace.dead_letter l join millrace.run r on r.id = l.run_id
   where r.slug like 'chaos-random-%' and (r.input ->> 'fails')::boolean and l.step = 'end'
     and not exists (select from millrace.event e where e.run_id = l.run_id and e.kind = 'run.redriven')`

export class Load {
  readonly #acknowledged: Acknowledged = { runs: [], deliveries: [], askedToCancel: [] }
  readonly doneToRuns: DoneToRuns = { signals: [], cancelled: [] }
  readonly tally = new Tally()
  readonly #stage: Stage
  readonly #options: LoadOptions
  readonly #random: () => number
  readonly #nonces: Nonces
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
    this.#nonces = new Nonces(options.seed)
    this.#pipelines = [...randomPipelines(options.seed, 0), ...randomPipelines(options.seed, 1)]
    this.#payloads = new Map(
      this.#pipelines.flatMap(({ recipe: { slug, steps } }) =>
        steps.map((step) => [`${slug} ${signalOf(step)}`, step.n] as const),
      ),
    )
    this.#handler = stage.parts.client.webhooks.handler([inbox])
    this.#things = new ThingWriter(stage.parts.pool, this.#random)
    this.#light = new LightLoad(stage, options, {
      live: () => this.#lightLive,
      tally: this.tally,
      nonces: this.#nonces,
    })
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

  /** Each kind once more, now that nothing is wrong: a client that did not get over some fault shows itself here. */
  async askAgain(): Promise<void> {
    const acts: Readonly<Record<AskedKind, () => Promise<void>>> = {
      runs: () => this.#startMany(1, this.#pipelines.at(-1)!),
      'a run twice': () => this.#startTwice(),
      'a booking': () => this.#book(),
      'a delivery': () => this.#deliver(),
      changes: () => this.#change(),
      'light runs': () => this.#light.startEach(),
    }
    const kinds = Object.keys(acts) as AskedKind[]
    await Promise.all(kinds.map((kind) => this.tally.askAgain(kind, acts[kind], againMs)))
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
    return this.#change()
  }

  async #change(): Promise<void> {
    const changes = 1 + Math.floor(this.#random() * 4)
    await this.tally.ask('changes', () => this.#things.write(changes))
  }

  async #startMany(starts: number, loaded = this.#pick()): Promise<void> {
    const inputs = Array.from({ length: starts }, () => this.#input(loaded))
    const answers = await this.tally.ask('runs', () =>
      this.#stage.parts.client.startMany(loaded.pipeline, inputs),
    )
    const runs = answers.map(({ run }) => run!.id)
    // All of them first: what is done to one may fail, and the others are acknowledged all the same.
    this.#acknowledged.runs.push(...runs)
    for (const run of runs) await this.#treat(loaded, run)
  }

  /** The same start from two at once: one run. */
  async #startTwice(): Promise<void> {
    const loaded = this.#pick()
    const input = this.#input(loaded)
    const idempotencyKey = `twice-${this.#random()}`
    const start = () => this.#stage.parts.client.start(loaded.pipeline, input, { idempotencyKey })
    const [first, second] = await this.tally.ask('a run twice', async () => {
      const answers = await Promise.allSettled([start(), start()])
      const runs = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.run!.id] : []))
      // Also where the other one failed.
      this.#acknowledged.runs.push(...new Set(runs))
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason as Error
      return runs
    })
    if (first !== second) this.tally.broken.push(`One idempotency key gave two runs: ${first} and ${second}`)
    await this.#treat(loaded, first!)
  }

  /** A start in a transaction of the application's own, half of which are rolled back. */
  async #book(): Promise<void> {
    const keeps = this.#random() < 0.5
    const { pool, client } = this.#stage.parts
    const nonce = this.#nonces.next()
    const id = await this.tally.ask('a booking', () =>
      inOwnTransaction(pool, keeps, async (tx) => {
        const { run } = await client.start(booking, { n: 1, nonce }, { tx })
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
    await this.tally.ask('a delivery', () => this.#send(options))
    this.#acknowledged.deliveries.push(options.id)
    if (again) await this.#send(options)
  }

  async #send(options: { readonly id: string; readonly secret: string }): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { status } = await send(this.#handler, hooksName, { n: 1, nonce: options.id }, options)
      if (status === 202) return
      if (!laterStatuses.has(status) || tries === webhookTries) throw notTaken(options.id, status, tries)
      await pause(300)
    }
  }

  /** What people do to a run that has just been started. */
  async #treat({ recipe }: Loaded, run: string): Promise<void> {
    const draw = this.#random()
    if (draw < 0.02) {
      this.#acknowledged.askedToCancel.push(run)
      const wasLive = await this.#stage.parts.client.run(run).cancel('not wanted any more')
      if (wasLive) this.doneToRuns.cancelled.push(run)
    } else if (draw < 0.03) await this.#stage.parts.client.run(run).pause('for a while')
    else if (draw < 0.5)
      // Early signals are kept until somebody waits for them.
      for (const step of recipe.steps)
        if (step.kind === 'signal') await this.#signal(recipe.slug, run, signalOf(step))
  }

  async #signal(slug: string, run: string, name: string): Promise<void> {
    const payload = { n: this.#payloads.get(`${slug} ${name}`) }
    const idempotencyKey = `${run} ${name}`
    try {
      await this.#stage.parts.client.signal(name, payload, { run, idempotencyKey })
      this.doneToRuns.signals.push(idempotencyKey)
    } catch (error) {
      if ((error as { code?: string }).code !== 'run_ended') throw error
    }
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
        const dead = await pool.query<{ run_id: string }>(`${toRedrive} limit 20`)
        for (const { run_id: run } of dead.rows) await client.run(run).redrive()
      } catch (error) {
        // Where the server is away: later then.
        this.tally.failed('What people do beside the starts', error)
      }
    }
  }

  async #countLive(): Promise<void> {
    const { rows } = await this.#stage.parts.pool.query<{ rich: number; light: number; turns: number }>(
      `select (count(distinct l.run_id) filter (where d.slug not like 'chaos-light-%') + (select count(*) from (${toRedrive}) dead))::int as rich,
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
      nonce: this.#nonces.next(),
    }
  }
}

function notTaken(id: string, status: number, tries: number): Error {
  const sentence = `the delivery ${id} was not taken ${tries} times, at last with ${status}`
  return laterStatuses.has(status) ? new Refusal(sentence) : new Error(sentence)
}
