// npm run bench -- --compare REV: measures two revisions by turns, each in a process of its own, by the figures of this checkout.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Compared, compareRows, comparisonText } from './comparison.ts'
import type { Figure } from './figure.ts'
import { productFolder } from './product-folder.mjs'
import type { Judged } from './report.ts'
import type { Told } from './side.ts'
import { byTurns, type Side } from './turns.ts'

const program = fileURLToPath(new URL('side.ts', import.meta.url))

export interface CompareOptions {
  readonly serverUrl: string
  readonly quick: boolean
  /** The other revision's package, built. */
  readonly folder: string
  readonly print: (text: string) => void
}

/** Measures each figure on both; what one of them can't measure is said, and left out. */
export async function compareAll(figures: readonly Figure[], options: CompareOptions): Promise<Compared[]> {
  const all: Compared[] = []
  for (const { name } of figures) {
    const sides = [options.folder, productFolder].map(
      (folder) => new SideProcess(folder, { ...options, figure: name }),
    )
    try {
      const [before, now] = await byTurns(sides[0]!, sides[1]!)
      if ('fault' in before || 'fault' in now) {
        const [side, told] = 'fault' in before ? ['the other revision', before] : ['this checkout', now]
        options.print(`${name}: not measured, since ${side} says: ${'fault' in told ? told.fault : ''}`)
        continue
      }
      const rows = compareRows(before.rows, now.rows)
      all.push(...rows)
      for (const row of rows) options.print(comparisonText(row))
    } finally {
      await Promise.all(sides.map((side) => side.stop()))
    }
  }
  return all
}

type Outcome = { readonly rows: readonly Judged[] } | { readonly fault: string }

class SideProcess implements Side<Outcome> {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  constructor(folder: string, side: { serverUrl: string; quick: boolean; figure: string }) {
    this.#child = fork(program, {
      // Not as an argument: the address holds a password.
      env: { ...process.env, BENCH_PRODUCT: folder, BENCH_SIDE: JSON.stringify(side) },
    })
    this.#ended = once(this.#child, 'exit')
  }

  async go(): Promise<Outcome | undefined> {
    const told = once(this.#child, 'message').then(([first]) => first as Told)
    this.#child.send('go')
    const ended = this.#ended.then((): Told => ({ fault: 'its process ended; it says why above' }))
    const first = await Promise.race([told, ended])
    return first === 'round' ? undefined : first
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
