// The delays of a run of chaos, judged from its history: how long what a lost worker held stayed with it, and how long what was ready lay there.
import type { Sql } from '../protocol.ts'
import type { Calm } from './calm.ts'

/** What took long, with the moment from which it was due, by the clock of the server in milliseconds. */
interface Delay {
  readonly what: string
  readonly due: number
  readonly done: number
}

interface Kind {
  readonly claim: string
  /** How much of the delay may have been calm. */
  readonly secondsMost: number
  /** $1 is that. */
  readonly delays: string
}

const shown = 5

const kinds: readonly Kind[] = [
  {
    claim: 'I5 what a worker held is taken back once its lease is over',
    secondsMost: 15,
    delays: `
      select a.run_id || ' ' || a.step || ', attempt ' || a.attempt as what,
             1000 * extract(epoch from w.lease_expires_at)::float8 as due, 1000 * extract(epoch from a.finished_at)::float8 as done
        from millrace.attempt a join millrace.worker w on w.id = a.worker_id
       where a.outcome = 'reclaimed' and a.finished_at > w.lease_expires_at + make_interval(secs => $1)`,
  },
  {
    claim: 'what is ready begins',
    secondsMost: 60,
    delays: `
      select a.run_id || ' ' || a.step || ', attempt ' || a.attempt as what,
             1000 * extract(epoch from a.ready_at)::float8 as due, 1000 * extract(epoch from a.started_at)::float8 as done
        from millrace.attempt a where a.started_at > a.ready_at + make_interval(secs => $1)`,
  },
]

/** Sentences: what stayed where it was for too long although workers were there. */
export async function findDelays(sql: Sql, calm: Calm): Promise<string[]> {
  const found: string[] = []
  for (const { claim, secondsMost, delays } of kinds) {
    const late = (await sql.query<Delay & Record<string, unknown>>(delays, [secondsMost])).flatMap(
      ({ what, due, done }) => {
        const seconds = calm.within(due, done) / 1_000
        return seconds <= secondsMost
          ? []
          : [
              `${claim}: ${what}, ${((done - due) / 1_000).toFixed(1)} s, of which ${seconds.toFixed(1)} s were calm`,
            ]
      },
    )
    found.push(...late.slice(0, shown))
  }
  return found
}
