// Owns durations as people write them: '500ms', '30s', '5m', '2h', '7d', '1w', or a number of milliseconds.
import { MillraceError } from './errors.ts'

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

type Unit = keyof typeof unitMs

export type Duration = number | `${number}${Unit}`

const pattern = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d|w)$/

/** Ten years: beyond it a duration is a mistake, and sums with a clock stay far from any overflow. */
const durationMsMax = 3_650 * unitMs.d

/**
 * The duration in whole milliseconds. `what` names it in the error.
 * @throws MillraceError `duration_invalid`
 */
export function durationMs(duration: Duration, what: string): number {
  const ms = typeof duration === 'number' ? duration : textMs(duration)
  if (Number.isFinite(ms) && ms >= 0 && ms <= durationMsMax) return Math.round(ms)
  throw new MillraceError(
    'duration_invalid',
    `${what} is ${describe(duration)}, which is no duration: write a number of milliseconds, or a text like '30s' or '2h'.`,
    { fields: { what } },
  )
}

function textMs(duration: unknown): number {
  const match = typeof duration === 'string' ? pattern.exec(duration) : null
  return match === null ? Number.NaN : Number(match[1]) * unitMs[match[2] as Unit]
}

function describe(duration: unknown): string {
  return typeof duration === 'string' ? `'${duration.slice(0, 40)}'` : String(duration)
}
