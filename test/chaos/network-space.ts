// A network of its own for one worker, joined to ours by a cable that can be pulled.
import { execFileSync } from 'node:child_process'

export class NetworkSpace {
  /** Our end of the cable: what the worker reaches is listened for here. */
  readonly host: string
  readonly #name: string
  readonly #cable: string

  private constructor(number: number) {
    this.host = `10.77.${number}.1`
    this.#name = `millrace-chaos-${process.pid}`
    this.#cable = `mrc${process.pid % 1_000_000}`
  }

  /** Undefined where this user may not make one. */
  static open(): NetworkSpace | undefined {
    const space = new NetworkSpace(1 + (process.pid % 250))
    try {
      space.#make()
      return space
    } catch {
      space.close()
      return undefined
    }
  }

  /** The command that runs a program in it. */
  get command(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name]
  }

  /** Nothing arrives any more, and nobody is told. */
  cut(): void {
    run('ip', 'link', 'set', this.#cable, 'down')
  }

  heal(): void {
    run('ip', 'link', 'set', this.#cable, 'up')
  }

  close(): void {
    for (const command of [
      ['ip', 'link', 'delete', this.#cable],
      ['ip', 'netns', 'delete', this.#name],
    ]) {
      try {
        run(...(command as [string, ...string[]]))
      } catch {
        // It was not made, or went with the other.
      }
    }
  }

  #make(): void {
    const [ours, theirs] = [this.#cable, `${this.#cable}w`]
    run('ip', 'netns', 'add', this.#name)
    run('ip', 'link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs)
    run('ip', 'link', 'set', theirs, 'netns', this.#name)
    run('ip', 'address', 'add', `${this.host}/30`, 'dev', ours)
    run('ip', 'link', 'set', ours, 'up')
    const inside = (...args: string[]) => run(...(this.command as [string, ...string[]]), ...args)
    inside('ip', 'address', 'add', `${this.host.replace(/1$/, '2')}/30`, 'dev', theirs)
    inside('ip', 'link', 'set', 'lo', 'up')
    inside('ip', 'link', 'set', theirs, 'up')
  }
}

function run(file: string, ...args: readonly string[]): void {
  execFileSync(file, args, { stdio: 'ignore' })
}
