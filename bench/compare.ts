// npm run bench -- --compare REV: measures two revisions by turns, each in a process of its own, by the figures of this checkout.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Comparison, comparisonOf, comparisonTexts, type Outcome } from './comparison.ts'
import type { Figure } from './figure.ts'
import { productFolder } from './product-folder.mjs'
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

/** Measures each figure on both, in turn; what one of them can't measure is said, and the next one begun. */
export async function compareAll(
  figures: readonly Figure[],
  { serverUrl, quick, folder, print }: CompareOptions,
): Promise<Comparison> {
  const all: Comparison[] = []
  for (const { name } of figures) {
    const sides = [folder, productFolder].map(
      (one) => new SideProcess(one, { serverUrl, quick, figure: name }),
    )
    try {
      const comparison = comparisonOf(name, ...(await byTurns(sides[0]!, sides[1]!)))
      all.push(comparison)
      for (const text of comparisonTexts(comparison)) print(text)
    } finally {
      await Promise.all(sides.map((side) => side.stop()))
    }
  }
  return {
    compared: all.flatMap(({ compared }) => compared),
    alone: all.flatMap(({ alone }) => alone),
    faults: all.flatMap(({ faults }) => faults),
  }
}

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
