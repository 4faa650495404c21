// What a run of the chaos has opened, and how each of it ends: all of it, whoever fails, and at whatever moment a signal comes.

type Ending = () => unknown

export class Endings {
  readonly #endings: Ending[] = []
  #opening: Promise<unknown> = Promise.resolve()
  #isClosing = false
  #closing: Promise<void> | undefined

  /** Where all is to end already, whoever opens more is told so by an error; this ends with the rest. */
  add(ending: Ending): void {
    this.#endings.unshift(ending)
    if (this.#isClosing) throw new Error('It is ended while it is being opened.')
  }

  /** Who closes meanwhile waits until this has noticed it: nothing is opened behind its back. */
  async during<T>(open: () => Promise<T>): Promise<T> {
    const opening = open()
    this.#opening = opening.catch(() => {})
    return opening
  }

  /** What was opened last ends first; once, whoever asks for it. Each is tried; rejects with the first error at the end. */
  close(): Promise<void> {
    this.#isClosing = true
    this.#closing ??= this.#opening.then(() => endAll(this.#endings))
    return this.#closing
  }
}

async function endAll(endings: readonly Ending[]): Promise<void> {
  const errors: unknown[] = []
  for (const end of endings) {
    try {
      await end()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}
