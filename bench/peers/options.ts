// What the command line asks for: refused here, in a sentence, where it can't be done.
import { parseArgs } from 'node:util'

export const usage = `npm run bench:peers -- [options]
  --only ROW         only this row; may be given several times
  --peer NAME        only this peer; may be given several times
  --best             each peer in its best configuration alone
  --rounds N         turns that count, 5 unless told
  --long             the rows that take much room and time as well
  --quick            two turns and a tenth of the work: shows that it runs, measures nothing
  --refresh          writes what was measured into bench/peers/results.json, and bench/RESULTS.md with its picture anew, row by row
  --rewrite          writes bench/RESULTS.md and its picture from bench/peers/results.json, and measures nothing
  --json             the results as JSON
  --list             the names of the rows and peers`

const roundsMax = 1_000

export type Options = Omit<ReturnType<typeof parse>, 'rounds'> & { readonly rounds: number }

interface Names {
  readonly rows: readonly string[]
  readonly peers: readonly string[]
}

/** @throws Error with what is wrong, and what there is instead */
export function readOptions(args: readonly string[], names: Names): Options {
  const values = parse(args)
  refuseUnknown('row', values.only, names.rows)
  refuseUnknown('peer', values.peer, names.peers)
  if (values.quick && values.refresh)
    throw new Error('What --quick measures is not to be quoted: leave out one of --quick and --refresh.')
  return { ...values, rounds: roundsOf(values.rounds) }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      peer: { type: 'string', multiple: true },
      best: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      long: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      refresh: { type: 'boolean', default: false },
      rewrite: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values
}

function refuseUnknown(kind: string, given: readonly string[] | undefined, known: readonly string[]): void {
  const unknown = given?.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new Error(`There is no ${kind} '${unknown}'; there are ${known.join(', ')}.`)
}

function roundsOf(text: string): number {
  const rounds = Number(text)
  if (/^\d+$/.test(text) && rounds >= 1 && rounds <= roundsMax) return rounds
  throw new Error(`--rounds is a whole number from 1 to ${roundsMax}, and not '${text}'.`)
}
