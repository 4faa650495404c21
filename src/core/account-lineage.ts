// Owns how an account tells where a run came from, and which runs came of it.
import type { AccountOffspring, AccountOrigin, RunAccount } from './account-data.ts'
import { fill } from './text-fill.ts'
import { clockOf, count, oneLine } from './wording.ts'

const starts = { redrive: 'in the place of', fork: 'as a fork of', rerun: 'once more after' } as const

/** 'as a fork of run …, from load on,'; undefined for a run that was started by itself. */
export function originWords({ lineage: { of } }: RunAccount): string | undefined {
  if (of === null) return undefined
  const from = of.step === null ? '' : ` from ${of.step} on`
  return `${starts[of.kind]} run ${of.run}${from}`
}

const made: Readonly<Record<AccountOffspring['kind'], string>> = {
  redrive: 'took its place',
  fork: 'was forked from it',
  rerun: 'ran it again',
}

const differencesTold = 10

/** How its input differs from that of the run it came of, and the runs that came of it. */
export function lineageLines({ run, lineage: { of, total, into } }: RunAccount): string[] {
  const differences = of?.difference ?? []
  const left = total - into.length
  return [
    ...(differences.length === 0 ? [] : ['Where its input differs', ...differenceLines(differences)]),
    ...(differences.length > 0 && into.length > 0 ? [''] : []),
    ...(into.length === 0 ? [] : ['What came of it']),
    ...into.flatMap(({ run: made_of, kind, step, state, at }) => {
      const time = clockOf(run.created_at, at)
      const words = `run ${made_of} ${made[kind]}${step === null ? '' : ` from ${step} on`}: ${state ?? 'pruned'}`
      return fill(`${time}  ${words}`, { first: '  ', next: ' '.repeat(time.length + 4) })
    }),
    ...(left > 0 ? [`  … and ${count(left, 'more run', 'more runs')}`] : []),
  ]
}

function differenceLines(differences: NonNullable<AccountOrigin['difference']>): string[] {
  const told = differences.slice(0, differencesTold).flatMap(({ path, before, after }) => {
    const place = path.length === 0 ? 'the input' : path.join('.')
    return fill(`${place}: ${valueWords(before)} -> ${valueWords(after)}`, { first: '  ', next: '    ' })
  })
  const left = differences.length - differencesTold
  return left > 0 ? [...told, `  … and ${count(left, 'more place', 'more places')}`] : told
}

function valueWords(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = oneLine(JSON.stringify(value))
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
