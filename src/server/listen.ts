// Owns the sockets of the server: bounded in every direction, strict about framing, and on the loopback address unless told otherwise.
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { isInRanges, loopbackRanges, senderAddress } from '../core/ip-ranges.ts'
import { streamsMaxDefault } from './event-stream.ts'
import type { Surroundings } from './server.ts'

export interface ListenOptions {
  /** 0: any that is free. */
  readonly port: number
  /** 127.0.0.1 by default. */
  readonly host?: string | undefined
  /** Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, as addresses and networks; none by default. */
  readonly trustedProxies?: readonly string[] | undefined
  /** A certificate and its key as PEM, for TLS of its own. */
  readonly tls?: { readonly certificate: string | Buffer; readonly key: string | Buffer } | undefined
  /** Told of each request that was refused before anybody saw it, by the status that it got. */
  readonly onMalformed?: ((status: number) => void) | undefined
  /** Milliseconds after which a connection is cut whose other end takes nothing of what it is answered; 60,000 by default. While TLS begins it is 10,000 at most. */
  readonly stalledMs?: number | undefined
  /** Milliseconds that a close waits for what is under way before it cuts it. 10,000 by default. */
  readonly graceMs?: number | undefined
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Takes no more, and resolves once what is under way is answered, or was cut after its grace. */
  close(): Promise<void>
}

/** What answers requests: the `fetch` of a server. */
export type Answering = (request: Request, surroundings: Surroundings) => Promise<Response>

/** Headers within 10 s, the whole request within 30 s, at most 16 KB and 100 of headers, 1,000 requests a connection. */
export const bounds = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  insecureHTTPParser: false,
  // We look for it ourselves, so that it is counted.
  requireHostHeader: false,
} as const satisfies ServerOptions
const headersMax = 100
const requestsPerSocket = 1_000
/** Each event stream keeps one: so many are left for requests, and for whoever asks whether the server lives. */
const connectionsMax = streamsMaxDefault + 3_000
const graceMsDefault = 10_000
const stalledMsDefault = 60_000

/** Rejects with the error of the system where the port can't be had. */
export async function listen(answering: Answering, options: ListenOptions): Promise<Listener> {
  const { port, host = '127.0.0.1', trustedProxies, onMalformed = () => {} } = options
  let isClosing = false
  let isLocal = false
  const hear = requestListener(
    async (request, surroundings) => {
      const response = await answering(request, surroundings)
      // Else the connection would stay for a next request, and the server with it.
      if (isClosing) response.headers.set('connection', 'close')
      return response
    },
    { trustedProxies, isLocal: () => isLocal, onMalformed, overrideGlobalObjects: true },
  )
  const { stalledMs = stalledMsDefault } = options
  const handshakeTimeout = Math.min(stalledMs, bounds.headersTimeout)
  const server: HttpServer =
    options.tls === undefined
      ? createServer(bounds, hear)
      : createSecureServer(
          { ...bounds, handshakeTimeout, cert: options.tls.certificate, key: options.tls.key },
          hear,
        )
  server.maxHeadersCount = headersMax
  server.maxRequestsPerSocket = requestsPerSocket
  server.maxConnections = connectionsMax
  server.timeout = stalledMs
  server.on('timeout', cutStalled)
  server.on('clientError', (error, socket) => refuse(error, socket, onMalformed))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  isLocal = isInRanges(address.address, loopbackRanges)
  return {
    host: address.address,
    port: address.port,
    close: () => {
      isClosing = true
      return closeServer(server, options.graceMs ?? graceMsDefault)
    },
  }
}

/** A handler of requests as Node's server gives them, which Express, Fastify and their like hand on. */
export type RequestHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void

export interface RequestListenerOptions extends Pick<ListenOptions, 'trustedProxies' | 'onMalformed'> {
  /** Whether the server listens on this machine alone, where whoever asks may look at health and metrics. No unless told. */
  readonly isLocal?: () => boolean
  /** Put lighter classes in the place of Request and Response: for a process that is the server's alone. */
  readonly overrideGlobalObjects?: boolean
}

/** Answers what Node's own server hears. Mount it before whatever reads bodies. */
export function requestListener(
  answering: Answering,
  {
    trustedProxies = [],
    isLocal = () => false,
    onMalformed = () => {},
    overrideGlobalObjects = false,
  }: RequestListenerOptions = {},
): RequestHandler {
  const answer = getRequestListener(
    (request, env) => {
      const { incoming } = env as HttpBindings
      return answering(request, surroundingsOf(incoming, { trustedProxies, isLocal: isLocal() }))
    },
    { overrideGlobalObjects },
  )
  return (incoming, outgoing) => {
    if (isPlain(incoming)) return void answer(incoming, outgoing)
    onMalformed(400)
    outgoing.writeHead(400, { connection: 'close', 'content-length': '0' }).end()
  }
}

/** One host, and a path: what else HTTP allows here is how requests are smuggled past whatever stands before this server. */
function isPlain({ rawHeaders, url = '' }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  return hosts.length === 1 && url.startsWith('/')
}

/** What proxies write, declared or not. */
const forwardingHeader =
  /^(?:x-forwarded-.*|forwarded|via|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/

function surroundingsOf(
  { socket, headers }: IncomingMessage,
  { trustedProxies, isLocal }: { readonly trustedProxies: readonly string[]; readonly isLocal: boolean },
): Surroundings {
  const isTrusted = trustedProxies.length > 0 && isInRanges(socket.remoteAddress, trustedProxies)
  const protocol = String(headers['x-forwarded-proto'] ?? '')
    .split(',')
    .at(-1)
    ?.trim()
  return {
    remoteAddress: senderAddress(
      socket.remoteAddress,
      headers['x-forwarded-for']?.toString(),
      trustedProxies,
    ),
    secure: 'encrypted' in socket || (isTrusted && protocol === 'https'),
    local:
      isLocal &&
      trustedProxies.length === 0 &&
      isFromHere(socket) &&
      isLoopbackName(headers.host) &&
      !Object.keys(headers).some((name) => forwardingHeader.test(name)),
  }
}

/** Looked at once a connection: its other end stays the same. */
const fromHere = new WeakMap<Socket, boolean>()

function isFromHere(socket: Socket): boolean {
  const known = fromHere.get(socket)
  if (known !== undefined) return known
  const is = isInRanges(socket.remoteAddress, loopbackRanges)
  fromHere.set(socket, is)
  return is
}

/** A name that only this machine can mean: a page elsewhere whose own name is pointed here doesn't have it. */
function isLoopbackName(host: string | undefined): boolean {
  return /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i.test(host ?? '')
}

const statusByParserError: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}
const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  431: 'Request Header Fields Too Large',
}

/** What the parser of HTTP refuses gets a status and nothing else, and its connection is closed: where it ends, nobody knows. */
function refuse(
  error: Error & { code?: string },
  socket: Duplex,
  onMalformed: (status: number) => void,
): void {
  // A sender that went away in the middle has refused itself, one that is being answered would take this for a part of its answer, and one with whom
  // TLS has not begun yet can be told nothing.
  const isTold = error.code !== 'ECONNRESET' && socket.writable && !isAnswered(socket) && !isSecuring(socket)
  if (!isTold) return void socket.destroy()
  const status = statusByParserError[error.code ?? ''] ?? 400
  onMalformed(status)
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** Node keeps what it answers on a connection there; its types don't say so. */
type Answered = Duplex & { _httpMessage?: ServerResponse | null }

/** Whether the head of an answer is out. */
function isAnswered(socket: Answered): boolean {
  return socket._httpMessage?.headersSent === true
}

/** Whether TLS has yet to begin. */
function isSecuring(socket: Duplex & { secureConnecting?: boolean }): boolean {
  return socket.secureConnecting === true
}

/** Cuts a connection on which nothing moves: between two requests, or where an answer isn't taken. A handler that is still at work may take its time. */
function cutStalled(socket: Answered): void {
  if ((socket._httpMessage ?? null) === null || socket.writableLength > 0) socket.destroy()
}

function closeServer(server: HttpServer, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
