// Owns the small server on which webhooks are listened for by themselves.
import type { WebhookHandler } from '../sdk/webhook-handler.ts'
import { listen, type Listener, type ListenOptions } from './listen.ts'

/** Listens for POST /webhooks/NAME. Rejects with the error of the system where the port can't be had. */
export function listenForWebhooks(handler: WebhookHandler, options: ListenOptions): Promise<Listener> {
  return listen(async (request, surroundings) => {
    if (/^\/webhooks\/[^/]+$/.test(new URL(request.url).pathname)) return handler(request, surroundings)
    return Response.json({ error: 'not_found' }, { status: 404 })
  }, options)
}
