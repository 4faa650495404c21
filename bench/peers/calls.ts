// Calls to another process: each is answered, or fails with a sentence that names whom it asked: at its bound of time, or when that process ends.
import type { ChildProcess } from 'node:child_process'

export interface Answer {
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
}

interface Call {
  readonly name: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

export class Calls {
  readonly #child: ChildProcess
  readonly #asked: string
  readonly #waiting = new Map<number, Call>()
  #count = 0

  constructor(child: ChildProcess, asked: string) {
    this.#child = child
    this.#asked = asked
    child.on('message', (answer: Answer) => this.#receive(answer))
    // What is sent to a process that has just ended; its end is heard of below.
    child.on('error', () => {})
    child.once('exit', () => {
      for (const [id, { name }] of this.#waiting)
        this.#fail(id, `the process of ${asked} ended before it answered '${name}'; it says why above`)
    })
  }

  ask(name: string, args: unknown, withinMs: number): Promise<unknown> {
    const { exitCode, signalCode, connected } = this.#child
    if (exitCode !== null || signalCode !== null || !connected)
      return Promise.reject(
        new Error(
          `the process of ${this.#asked} had ended before it was asked for '${name}'; it says why above`,
        ),
      )
    const id = ++this.#count
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(id, name, withinMs), withinMs)
      this.#waiting.set(id, { name, resolve, reject, timer })
      this.#child.send({ id, name, args })
    })
  }

  /** Nobody knows what it is still about to do: it may not go on beside the next turn. */
  #giveUp(id: number, name: string, withinMs: number): void {
    this.#child.kill('SIGKILL')
    this.#fail(
      id,
      `${this.#asked} had not answered '${name}' after ${withinMs / 1_000} s, and its process was ended`,
    )
  }

  #fail(id: number, sentence: string): void {
    this.#take(id)?.reject(new Error(sentence))
  }

  #receive({ id, result, error }: Answer): void {
    if (id === undefined) return
    if (error === undefined) this.#take(id)?.resolve(result)
    else this.#fail(id, error)
  }

  #take(id: number): Call | undefined {
    const call = this.#waiting.get(id)
    this.#waiting.delete(id)
    clearTimeout(call?.timer)
    return call
  }
}
