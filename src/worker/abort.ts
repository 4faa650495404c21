// How an attempt is told to stop. The signal that a handler may ask for is made when it is asked for: most never do.

export class Abort {
  #aborted = false
  #reason: Error | undefined
  #controller: AbortController | undefined
  #listener: (() => void) | undefined

  get aborted(): boolean {
    return this.#aborted
  }

  /** Why; undefined while nothing was aborted. */
  get reason(): Error | undefined {
    return this.#reason
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Only the first reason counts. */
  abort(reason: Error): void {
    if (this.#aborted) return
    this.#aborted = true
    this.#reason = reason
    this.#controller?.abort(reason)
    this.#listener?.()
  }

  /** Calls back when it is aborted, in the place of whoever was to be called before; without a function, nobody. */
  listen(listener?: () => void): void {
    this.#listener = listener
  }
}
