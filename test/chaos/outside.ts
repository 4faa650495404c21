// The world outside that steps call: it answers each call, and keeps who made it, and by which idempotency key.
import http from 'node:http'
import type net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A call, as it was heard: by a handler of the load, or by `durable.http`, which say the same of themselves. */
export interface HeardCall {
  readonly run: string
  readonly step: string
  readonly attempt: number
  readonly key: string
}

/** Some answers take so long that a fault comes in between. */
const slowOf = 8
const slowMs = 400

export class Outside {
  readonly #servers: http.Server[] = []
  readonly #heard: HeardCall[] = []
  #answers = 0

  /** Answers with the address. More than one may be listened on. */
  async listen(host: string): Promise<string> {
    const server = http.createServer((request, response) => void this.#answer(request, response))
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    return `http://${host}:${(server.address() as net.AddressInfo).port}`
  }

  get heard(): readonly HeardCall[] {
    return this.#heard
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
    this.#hear(request.headers)
    if (this.#answers++ % slowOf === 0) await pause(slowMs)
    response.setHeader('content-type', 'application/json')
    response.end(Buffer.concat(chunks))
  }

  #hear(headers: http.IncomingHttpHeaders): void {
    const header = (name: string) => String(headers[name])
    this.#heard.push({
      run: header('millrace-run'),
      step: header('millrace-step'),
      attempt: Number(header('millrace-attempt')),
      key: header('idempotency-key'),
    })
  }
}

/** Steps that called, and calls that came again. */
export function countCalls(heard: readonly HeardCall[]): { called: number; repeated: number } {
  const called = new Set(heard.map(({ run, step }) => `${run} ${step}`)).size
  return { called, repeated: heard.length - called }
}
