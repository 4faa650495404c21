// What a benchmark has on its machine besides its memory, and the end of that: after the work, or at once when a signal comes.
import { constants } from 'node:os'

type Undo = () => void | Promise<void>

const signals = ['SIGINT', 'SIGTERM'] as const

/** Holds from its making on, so that nothing is there that a signal would leave behind. A second signal ends at once. */
export class Ending {
  readonly #undos: Undo[] = []
  #running: Promise<void> | undefined

  constructor() {
    for (const signal of signals) process.once(signal, this.#interrupted)
  }

  /** Said before the thing is made, or it is left behind where its making is interrupted. */
  add(undo: Undo): void {
    this.#undos.push(undo)
  }

  /** The last made goes first; whoever asks again waits for the same end. */
  run(): Promise<void> {
    this.#running ??= this.#undoAll()
    return this.#running
  }

  readonly #interrupted = (signal: NodeJS.Signals): void => {
    const end = () => process.exit(128 + constants.signals[signal])
    this.run().then(end, end)
  }

  /** What can't be undone keeps nothing else from it. */
  async #undoAll(): Promise<void> {
    const faults: unknown[] = []
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      try {
        await undo()
      } catch (fault) {
        faults.push(fault)
      }
    }
    for (const signal of signals) process.off(signal, this.#interrupted)
    if (faults.length > 0) throw faults[0]
  }
}
