// The world outside that steps call: it answers each call, and keeps by which idempotency key it was made, and how often.
import http from 'node:http'
import type net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { repeatedHeader } from './outside-call.ts'

interface Heard {
  readonly key: string
  calls: number
  /** Calls after which another one was due without any fault. */
  due: number
}

/** Some answers take so long that a fault comes in between. */
const slowOf = 8
const slowMs = 400

export class Outside {
  readonly #servers: http.Server[] = []
  readonly #heard = new Map<string, Heard>()
  #otherKey = 0
  #answers = 0

  /** Answers with the address. More than one may be listened on. */
  async listen(host: string): Promise<string> {
    const server = http.createServer((request, response) => void this.#answer(request, response))
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    return `http://${host}:${(server.address() as net.AddressInfo).port}`
  }

  /** Steps that called, calls that came again under the same key without being due, and all those that came again under another one. */
  get counts(): { called: number; repeated: number; otherKey: number } {
    let repeated = 0
    for (const { calls, due } of this.#heard.values()) repeated += Math.max(0, calls - 1 - due)
    return { called: this.#heard.size, repeated, otherKey: this.#otherKey }
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.map((server) => {
        server.closeAllConnections()
        return new Promise((resolve) => server.close(resolve))
      }),
    )
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      // Who asked has gone in the middle of it: nothing was heard.
      return
    }
    const header = (name: string) => String(request.headers[name])
    const who = `${header('millrace-run')} ${header('millrace-step')}`
    this.#hear(who, header('idempotency-key'), request.headers[repeatedHeader] === undefined ? 0 : 1)
    if (this.#answers++ % slowOf === 0) await pause(slowMs)
    response.setHeader('content-type', 'application/json')
    response.end(Buffer.concat(chunks))
  }

  #hear(who: string, key: string, due: number): void {
    const heard = this.#heard.get(who)
    if (heard === undefined) this.#heard.set(who, { key, calls: 1, due })
    else if (heard.key !== key) this.#otherKey++
    else {
      heard.calls++
      heard.due += due
    }
  }
}
