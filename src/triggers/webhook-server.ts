// Owns the small server on which webhooks are listened for by themselves: bounded in every direction, on the loopback address unless told otherwise.
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { senderAddress } from '../core/ip-ranges.ts'
import type { WebhookHandler } from '../sdk/webhook-handler.ts'

export interface WebhookServerOptions {
  /** 0: any that is free. */
  readonly port: number
  /** 127.0.0.1 by default. */
  readonly host?: string
  /** Proxies whose X-Forwarded-For is believed, as addresses and networks; none by default. */
  readonly trustedProxies?: readonly string[]
}

export interface WebhookServer {
  readonly host: string
  readonly port: number
  /** Takes no more, and resolves once what is under way is answered. */
  close(): Promise<void>
}

/** Headers within 10 s, the whole request within 30 s, at most 16 KB and 100 of headers, 1,000 requests a connection. */
const bounds = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
} as const
const headersMax = 100
const requestsPerSocket = 1_000
const connectionsMax = 2_000

/** Listens for POST /webhooks/NAME. Rejects with the error of the system where the port can't be had. */
export async function listenForWebhooks(
  handler: WebhookHandler,
  { port, host = '127.0.0.1', trustedProxies = [] }: WebhookServerOptions,
): Promise<WebhookServer> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.use(async (context, next) => {
    if (isPlain(context.env.incoming)) return next()
    return context.json({ error: 'bad_request' }, 400, { connection: 'close' })
  })
  app.all('/webhooks/:name', ({ req, env }) =>
    handler(req.raw, {
      remoteAddress: senderAddress(
        env.incoming.socket.remoteAddress,
        req.header('x-forwarded-for'),
        trustedProxies,
      ),
    }),
  )
  app.notFound((context) => context.json({ error: 'not_found' }, 404))
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions: bounds }) as Server
  server.maxHeadersCount = headersMax
  server.maxRequestsPerSocket = requestsPerSocket
  server.maxConnections = connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return { host: address.address, port: address.port, close: () => closeServer(server) }
}

/** One host, and a path: what else HTTP allows here is how requests are smuggled past whatever stands before this server. */
function isPlain({ rawHeaders, url = '' }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  return hosts.length === 1 && url.startsWith('/')
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}
