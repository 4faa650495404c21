// A TCP proxy in front of a server that behaves as bad networks do: it swallows, cuts, refuses, delays, or loses one answer.
import net from 'node:net'

/** `swallow`: open and silent, as a half-open socket is. `refuse`: new connections are closed, those there are live on. */
type Mode = 'pass' | 'swallow' | 'refuse'

interface Pair {
  client: net.Socket
  server: net.Socket
  /** What the server says to this client is lost from now on. */
  mute: boolean
}

export class Proxy {
  #target: { host: string; port: number }
  readonly #server = net.createServer((client) => this.#accept(client))
  readonly #pairs = new Set<Pair>()
  #mode: Mode = 'pass'
  #delayMs = 0
  #losing: { text: string; lost: () => void } | undefined

  constructor(target: { host: string; port: number }) {
    this.#target = target
  }

  /** The address of a database with this proxy in between. */
  through(url: string): string {
    const { address: host, port } = this.#server.address() as net.AddressInfo
    const address = new URL(url)
    address.hostname = host
    address.port = String(port)
    return address.href
  }

  async listen(host = '127.0.0.1'): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, host, resolve))
    return this
  }

  /** Nothing arrives any more, in either direction, and nobody is told. New connections are accepted and say nothing. */
  blackhole(): void {
    this.#mode = 'swallow'
  }

  refuse(): void {
    this.#mode = 'refuse'
  }

  /** As before. Connections that were swallowed stay dead: what they said is lost. Where one side has left, the other hears of it now. */
  heal(): void {
    this.#mode = 'pass'
    for (const { client, server } of this.#pairs) {
      if (client.destroyed) reset(server)
      if (server.destroyed) reset(client)
    }
  }

  /** Every connection ends, and the next ones lead to another server. */
  leadTo(url: string): void {
    const { hostname, port } = new URL(url)
    this.#target = { host: hostname, port: Number(port) }
    this.cut()
  }

  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Ends all connections at once, with a reset. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      reset(client)
      reset(server)
    }
  }

  /** The next time that a client says this, it still arrives, but the answer is lost and the connection is silent from then on. */
  loseAnswerTo(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#losing = { text, lost: resolve }
    })
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: net.Socket): void {
    if (this.#mode === 'refuse') {
      reset(client)
      return
    }
    const pair: Pair = { client, server: net.connect(this.#target), mute: this.#mode === 'swallow' }
    this.#pairs.add(pair)
    client.on('data', (chunk) => {
      if (this.#isSilent(pair)) return
      this.#mayLose(pair, chunk)
      this.#after(() => pair.server.write(chunk))
    })
    pair.server.on('data', (chunk) => {
      if (!this.#isSilent(pair)) this.#after(() => pair.mute || client.write(chunk))
    })
    client.on('error', () => {})
    pair.server.on('error', () => {})
    client.on('close', () => this.#end(pair))
    pair.server.on('close', () => this.#end(pair))
  }

  /** A connection that once lost a byte never speaks again: a real network would have lost it too. */
  #isSilent(pair: Pair): boolean {
    if (this.#mode === 'swallow') pair.mute = true
    return pair.mute
  }

  #mayLose(pair: Pair, chunk: Buffer): void {
    if (this.#losing === undefined || !chunk.includes(this.#losing.text)) return
    pair.mute = true
    this.#losing.lost()
    this.#losing = undefined
  }

  #after(work: () => void): void {
    if (this.#delayMs === 0) work()
    else setTimeout(work, this.#delayMs)
  }

  /** A side that ends ends the other, unless the network is down: then nobody hears of it. */
  #end(pair: Pair): void {
    if (pair.client.destroyed && pair.server.destroyed) this.#pairs.delete(pair)
    if (this.#mode === 'swallow') return
    pair.client.destroy()
    pair.server.destroy()
  }
}

/** One that has said goodbye can't be reset any more: Node would say it is destroyed, and keep its handle open. */
function reset(socket: net.Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** A proxy before the server of this database, on an address of this machine. */
export function openProxy(url: string, host?: string): Promise<Proxy> {
  const { hostname, port } = new URL(url)
  return new Proxy({ host: hostname, port: Number(port) }).listen(host)
}
