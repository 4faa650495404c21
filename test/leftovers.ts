// What a test file leaves behind in its process: open handles, timers, listeners, variables of the environment, and files in its temporary folder.
import type { ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'
import { inject } from 'vitest'
import { openTimers, type TimerWatch } from './timers.ts'

const lookEveryMs = 20

/** What is left after as long as things that were told to end may take on a busy machine. */
export async function waitedFor(
  look: () => string[] | Promise<string[]>,
  graceMs = inject('graceMs'),
): Promise<string[]> {
  const deadline = performance.now() + graceMs
  let left = await look()
  while (left.length > 0 && performance.now() < deadline) {
    await pause(lookEveryMs, undefined, { ref: false })
    left = await look()
  }
  return left
}

/** What Node knows to be open; only what keeps a process alive is among it. */
const node = process as unknown as { _getActiveHandles(): object[] }

/** How things stood before the file. */
export class Beginning {
  readonly #folder: string
  readonly #timers: TimerWatch
  readonly #handles = new Set(node._getActiveHandles())
  readonly #timerCount = countTimers()
  readonly #listeners = countListeners()
  readonly #environment = process.env
  readonly #variables = { ...process.env }

  constructor(folder: string) {
    this.#folder = folder
    this.#timers = openTimers()
  }

  /** What has come since and is still there, a line each. */
  leftovers(): string[] {
    return [
      ...this.#openHandles(),
      ...this.#openTimers(),
      ...this.#added(),
      ...this.#changed(),
      ...this.#files(),
    ]
  }

  end(): void {
    this.#timers.stop()
  }

  #openHandles(): string[] {
    const handles = node._getActiveHandles().filter((handle) => !this.#handles.has(handle))
    return handles.map((handle) => `open: ${describe(handle)}`)
  }

  #openTimers(): string[] {
    const count = countTimers() - this.#timerCount
    return count > 0
      ? [`${count} timers under way: ${this.#timers.open().join('; ') || 'promised ones'}`]
      : []
  }

  #added(): string[] {
    return [...countListeners()]
      .filter(([event, count]) => count > (this.#listeners.get(event) ?? 0))
      .map(([event]) => `a listener of the process for ${String(event)}`)
  }

  #changed(): string[] {
    // Only the true one reaches what Node asks of it by itself, and programs.
    if (process.env !== this.#environment) return ['process.env is another object']
    const names = new Set([...Object.keys(process.env), ...Object.keys(this.#variables)])
    return [...names]
      .filter((name) => process.env[name] !== this.#variables[name])
      .map((name) => `the environment has another ${name}`)
  }

  #files(): string[] {
    return fs
      .readdirSync(this.#folder, { withFileTypes: true })
      .filter((entry) => !entry.isSymbolicLink())
      .map(({ name }) => `a temporary file: ${path.join(this.#folder, name)}`)
  }
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
}

function countListeners(): Map<string | symbol, number> {
  return new Map(process.eventNames().map((event) => [event, process.listenerCount(event as never)]))
}

function describe(handle: object): string {
  if (handle instanceof net.Server) return `a server on ${inspect(handle.address())}`
  if (handle instanceof net.Socket)
    return `a connection from ${handle.localPort ?? 'here'} to ${handle.remoteAddress ?? 'a pipe'}:${handle.remotePort ?? ''}`
  if ('spawnargs' in handle) {
    const { spawnargs, pid } = handle as ChildProcess
    return `process ${pid}: ${spawnargs.join(' ').slice(0, 300)}`
  }
  return handle.constructor.name
}
