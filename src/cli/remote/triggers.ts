// Events, subscriptions, callbacks, watches, webhooks and their deliveries over HTTP.
import type { HttpClient } from '../../client/http-client.ts'
import type { DeliveryRow } from '../../db/callbacks.ts'
import type { DeliveryListRow } from '../../db/deliveries.ts'
import type { EventRow, SubscriptionRow, SubscriptionSettings } from '../../db/events.ts'
import type { WatchRow } from '../../db/watches.ts'
import type { WebhookRow } from '../../db/webhooks.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, revisionOf, rowOf, valueOf } from './statements.ts'

/** As many as a command lists where it lists all. */
const allMax = 10_000

export function triggerStatements(client: HttpClient): RemoteStatements {
  return {
    ...events(client),
    ...subscriptions(client),
    ...callbacks(client),
    ...watches(client),
    ...webhooks(client),
  }
}

function events(client: HttpClient): RemoteStatements {
  return {
    millrace_emit: async (
      name: string,
      payload: string | null,
      tenant: string | null,
      idempotency_key: string | null,
    ) => [
      await client.emit({
        body: { name, ...given({ payload: valueOf(payload).value, tenant, idempotency_key }) },
      }),
    ],
    millrace_list_events: async (name: string | null, _before: string | null, limit: number) =>
      (await firstOf(client.listEvents, { query: given({ name }) }, limit)).map(rowOf<EventRow>),
  }
}

function subscriptions(client: HttpClient): RemoteStatements {
  return {
    millrace_list_subscriptions: async (event: string | null) =>
      (await firstOf(client.listSubscriptions, { query: given({ event }) }, allMax)).map(
        rowOf<SubscriptionRow>,
      ),
    millrace_define_subscription: async (subscription: string, settings: string, revision: number | null) => [
      await client.defineSubscription({
        params: { subscription },
        body: JSON.parse(settings) as SubscriptionSettings & { map?: Record<string, string[]> },
        ...revisionOf(revision),
      }),
    ],
    millrace_pause_subscription: async (subscription: string, paused: boolean, revision: number | null) => {
      const call = { params: { subscription }, body: {}, ...revisionOf(revision) }
      return [paused ? await client.pauseSubscription(call) : await client.resumeSubscription(call)]
    },
    millrace_remove_subscription: async (subscription: string, revision: number | null) => {
      await client.removeSubscription({ params: { subscription }, ...revisionOf(revision) })
      return []
    },
  }
}

function callbacks(client: HttpClient): RemoteStatements {
  return {
    millrace_list_callback_deliveries: async (
      id: string | null,
      run: string | null,
      open: boolean | null,
      limit: number,
    ) => {
      const found =
        id === null
          ? await firstOf(client.listCallbacks, { query: given({ run, open }) }, limit)
          : await oneOrNone(client.showCallback({ params: { callback: id } }))
      return found.map(rowOf<DeliveryRow>)
    },
    millrace_resend_callback: async (callback: string) => {
      await client.resendCallback({ params: { callback }, body: {} })
      return []
    },
  }
}

function watches(client: HttpClient): RemoteStatements {
  return {
    millrace_list_watches: async (watch: string | null) => {
      const found =
        watch === null
          ? await firstOf(client.listWatches, {}, allMax)
          : await oneOrNone(client.showWatch({ params: { watch } }))
      return found.map(rowOf<WatchRow>)
    },
    // Of the whole server, and so nobody's business over HTTP.
    millrace_list_replica_settings: async () => [],
    millrace_pause_watch: async (watch: string, paused: boolean) => {
      const call = { params: { watch }, body: {} }
      return [paused ? await client.pauseWatch(call) : await client.resumeWatch(call)]
    },
  }
}

function webhooks(client: HttpClient): RemoteStatements {
  return {
    millrace_list_webhooks: async (webhook: string | null) => {
      const found =
        webhook === null
          ? await firstOf(client.listWebhooks, {}, allMax)
          : await oneOrNone(client.showWebhook({ params: { webhook } }))
      return found.map(rowOf<WebhookRow>)
    },
    millrace_list_deliveries: async (
      webhook: string | null,
      state: DeliveryListRow['state'] | null,
      since: Date | null,
      until: Date | null,
      limit: number,
    ) => {
      const query = given({ webhook, state, since: since?.toISOString(), until: until?.toISOString() })
      return (await firstOf(client.listDeliveries, { query }, limit)).map(rowOf<DeliveryListRow>)
    },
    millrace_find_delivery: async (delivery: string) =>
      (await oneOrNone(client.showDelivery({ params: { delivery } }))).map(rowOf<DeliveryListRow>),
  }
}
