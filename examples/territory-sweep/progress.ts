// How far a sweep has come, read from the database, and its display: a bar on a terminal, plain lines elsewhere.
import { Presets, SingleBar } from 'cli-progress'
import type { Connection } from './schema.ts'

/** What has ended so far. */
export interface Progress {
  readonly airports: number
  readonly territories: number
  /** Runs that will not end well. */
  readonly failed: number
  readonly begun: number
}

export interface ProgressDisplay {
  show(progress: Progress): void
  end(): void
}

/** Counts what these runs have behind them. */
export async function readProgress(connection: Connection, runIds: readonly string[]): Promise<Progress> {
  const { rows } = await connection.query(
    `select (select count(*)::int from millrace.attempt a
              where a.run_id = any($1) and a.step = 'enrich' and a.outcome = 'completed') as airports,
            count(*) filter (where r.finished_at is not null)::int as territories,
            count(*) filter (where r.state in ('failed', 'cancelled'))::int as failed,
            count(*) filter (where r.started_at is not null)::int as begun
       from millrace.run r where r.id = any($1)`,
    [runIds],
  )
  return rows[0] as Progress
}

export interface Totals {
  readonly airports: number
  readonly territories: number
}

export function progressDisplay(output: NodeJS.WriteStream, totals: Totals): ProgressDisplay {
  return output.isTTY ? bar(output, totals) : lines(output, totals)
}

function bar(output: NodeJS.WriteStream, { airports, territories }: Totals): ProgressDisplay {
  const single = new SingleBar(
    {
      stream: output,
      format: `  {bar} {value} of {total} airports, {ended} of ${territories} territories`,
      formatValue: (value, _, type) =>
        type === 'value' || type === 'total' ? grouped(value) : String(value),
      barsize: 26,
      hideCursor: true,
      // The program ends on signals itself, and has more to put in order than a cursor.
      gracefulExit: false,
    },
    Presets.shades_classic,
  )
  single.start(airports, 0, { ended: 0 })
  return {
    show: (progress) => single.update(progress.airports, { ended: progress.territories }),
    end: () => single.stop(),
  }
}

/** A line for each quarter of the way, so that a file or a log stays short. */
function lines(output: NodeJS.WritableStream, totals: Totals): ProgressDisplay {
  let shown = 0
  return {
    show: ({ airports, territories }) => {
      const quarter = Math.floor((4 * airports) / totals.airports)
      if (quarter <= shown) return
      shown = quarter
      output.write(
        `  ${grouped(airports)} of ${grouped(totals.airports)} airports, ${territories} of ${totals.territories} territories\n`,
      )
    },
    end: () => {},
  }
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
