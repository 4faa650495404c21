// What the command line of the chaos says: parsed, and refused in a sentence where it makes no sense.
import os from 'node:os'
import { parseArgs } from 'node:util'

export const usage = `npm run chaos -- [--seed N] [--minutes M]
  --seed N        which plan of faults, and which load; drawn and told unless given
  --minutes M     for how long faults happen; 5
  --rate N        rich runs started in a second: random graphs that wait, call, branch; 20
  --live N        of which so many are live at most; 200
  --light N       light runs started in a second beside them, in bulk; 250
  --every S       mean seconds between two faults of a lane, of which there are three; 4
  --lease S       the lease of the workers; 10, as by default
  --disk N        megabytes of the disk of the server; by the minutes
  --previous REV  of which revision a worker comes beside those of today; HEAD~1
  --takeover N    only: kills N workers with a task each, and measures until it begins elsewhere; with --pooled behind PgBouncer
  --cuts N        only: cuts one worker off N times, which is never killed, and measures what it holds more afterwards
  --calm          no faults: what an hour of the load uses
  --plan          only prints the plan
  --json          the report as JSON`

export interface Arguments {
  /** Drawn unless given. */
  readonly seed: number
  readonly minutes: number
  readonly rate: number
  readonly live: number
  readonly light: number
  readonly every: number
  readonly lease: number
  /** Megabytes. */
  readonly disk: number
  readonly previous: string
  readonly takeover: number | undefined
  readonly cuts: number | undefined
  readonly pooled: boolean
  readonly calm: boolean
  readonly plan: boolean
  readonly json: boolean
  readonly help: boolean
}

/** A sentence for whoever typed it. */
export class Misuse extends Error {}

/** What the history of a run takes in the database, with its indexes, at most. */
const richKilobytes = 40
const lightKilobytes = 5
const seedsMax = 1_000_000

const options = {
  seed: { type: 'string' },
  minutes: { type: 'string', default: '5' },
  rate: { type: 'string', default: '20' },
  live: { type: 'string', default: '200' },
  light: { type: 'string', default: '250' },
  every: { type: 'string', default: '4' },
  lease: { type: 'string', default: '10' },
  disk: { type: 'string' },
  previous: { type: 'string', default: 'HEAD~1' },
  takeover: { type: 'string' },
  cuts: { type: 'string' },
  pooled: { type: 'boolean', default: false },
  calm: { type: 'boolean', default: false },
  plan: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Throws a Misuse. */
export function readArguments(given: readonly string[]): Arguments {
  const values = parse(given)
  const [minutes, rate, light] = (['minutes', 'rate', 'light'] as const).map((name) =>
    positive(name, values[name]),
  ) as [number, number, number]
  return {
    ...values,
    seed: values.seed === undefined ? Math.floor(Math.random() * seedsMax) : whole('seed', values.seed, 0),
    minutes,
    rate,
    light,
    live: whole('live', values.live, 1),
    every: positive('every', values.every),
    lease: positive('lease', values.lease),
    disk: values.disk === undefined ? diskMegabytes(minutes, rate, light) : whole('disk', values.disk, 1),
    takeover: values.takeover === undefined ? undefined : whole('takeover', values.takeover, 1),
    cuts: values.cuts === undefined ? undefined : whole('cuts', values.cuts, 1),
  }
}

function parse(given: readonly string[]) {
  try {
    return parseArgs({ args: [...given], options }).values
  } catch (error) {
    throw new Misuse((error as Error).message, { cause: error })
  }
}

function positive(name: string, text: string): number {
  const value = numberOf(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new Misuse(`--${name} has to be a number greater than 0, and is '${text}'.`)
}

function whole(name: string, text: string, least: number): number {
  const value = numberOf(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new Misuse(`--${name} has to be a whole number of at least ${least}, and is '${text}'.`)
}

/** Nothing is no number. */
const numberOf = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text))

/** What the history of the runs takes, and never more than half of the memory. */
function diskMegabytes(minutes: number, rate: number, light: number): number {
  const perSecond = (richKilobytes * rate + lightKilobytes * light) / 1_024
  return Math.floor(Math.min(1_024 + 60 * minutes * perSecond, os.totalmem() / 2 / 1_048_576))
}
