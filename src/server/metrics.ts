// Owns the metrics of a server, in the text format of Prometheus: what it answered, what it refused unseen, and how the installation is.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { HealthRow } from '../db/health.ts'

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = new Counter({
    name: 'millrace_http_requests_total',
    help: 'Requests that were answered, by operation and status.',
    labelNames: ['operation', 'status'],
    registers: [this.#registry],
  })
  readonly #seconds = new Histogram({
    name: 'millrace_http_request_seconds',
    help: 'Seconds until an answer began, by operation.',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers: [this.#registry],
  })
  readonly #malformed = new Counter({
    name: 'millrace_http_malformed_total',
    help: 'Requests whose framing was refused before anybody saw them, by status.',
    labelNames: ['status'],
    registers: [this.#registry],
  })
  readonly #memory = this.#gauge('process_resident_memory_bytes', 'Memory of this process.')
  readonly #up = this.#gauge('millrace_database_up', '1 where the database answers.')
  readonly #workers = this.#gauge('millrace_workers', 'Workers whose lease counts.')
  readonly #ready = this.#gauge('millrace_tasks_ready', 'Tasks that nobody holds yet, by queue.', 'queue')
  readonly #held = this.#gauge('millrace_tasks_held', 'Tasks that a worker runs, by queue.', 'queue')
  readonly #oldest = this.#gauge(
    'millrace_tasks_oldest_seconds',
    'For how long the oldest ready task of a queue has been so.',
    'queue',
  )
  readonly #waiting = this.#gauge(
    'millrace_tasks_waiting',
    'Tasks that wait for a time, a signal, a limit or a person.',
  )
  readonly #deadLetters = this.#gauge('millrace_dead_letters', 'Failed runs that nobody has decided on.')
  readonly #overdue = this.#gauge('millrace_firings_overdue', 'Firings behind their deadline.')
  readonly #multixacts = this.#gauge(
    'millrace_multixact_age',
    'Multixacts between the oldest of the database and the next.',
  )
  readonly #oldestKept = this.#gauge(
    'millrace_oldest_kept_transactions',
    'Transactions since the oldest row version that a transaction, a slot or a standby keeps.',
  )
  readonly #notifyShare = this.#gauge(
    'millrace_notification_queue_ratio',
    "How full the server's queue of notifications is, from 0 to 1.",
  )

  countRequest(operation: string, status: number, seconds: number): void {
    this.#requests.inc({ operation, status: String(status) })
    this.#seconds.observe({ operation }, seconds)
  }

  countMalformed(status: number): void {
    this.#malformed.inc({ status: String(status) })
  }

  /** @param facts undefined where the database is away: what it would know is left out */
  async text(facts: HealthRow | undefined): Promise<string> {
    this.#memory.set(process.memoryUsage.rss())
    this.#up.set(facts === undefined ? 0 : 1)
    for (const gauge of [this.#ready, this.#held, this.#oldest]) gauge.reset()
    for (const { queue, ready, held, oldest_seconds } of facts?.queues ?? []) {
      this.#ready.set({ queue }, ready)
      this.#held.set({ queue }, held)
      this.#oldest.set({ queue }, oldest_seconds)
    }
    tell(this.#workers, facts?.workers)
    tell(this.#waiting, facts?.waiting)
    tell(this.#deadLetters, facts?.dead_letters)
    tell(this.#overdue, facts?.overdue_firings)
    tell(this.#multixacts, facts?.multixact_age)
    tell(this.#oldestKept, facts?.oldest_kept)
    tell(this.#notifyShare, facts?.notify_share)
    return this.#registry.metrics()
  }

  #gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] })
  }
}

function tell(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove()
  else gauge.set(value)
}
