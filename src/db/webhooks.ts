// The SQL functions of webhooks: registered by code, listed, and their secrets.
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'
import { readClock } from './diagnosis.ts'
import { retryTransaction } from './transaction.ts'

export interface WebhookDefinitionRow {
  readonly name: string
  readonly provider: string
  readonly pipelines: readonly string[]
  readonly secrets: readonly string[]
  readonly kept_days: number
  readonly settings: object
}

export interface WebhookChangeRow {
  readonly name: string
  readonly change: 'defined' | 'changed' | 'retired'
  readonly revision: number
}

/**
 * Registers webhooks; answers what differs from before.
 *
 * @param slugs the pipelines of a worker: what a worker registered for one of these and is not among the webhooks is retired
 */
export function defineWebhooks(
  caller: Caller,
  webhooks: readonly WebhookDefinitionRow[],
  slugs: readonly string[] | null,
): Promise<WebhookChangeRow[]> {
  return retryTransaction(() =>
    caller.call<WebhookChangeRow>(
      {
        name: 'millrace_define_webhooks',
        text: 'select name, change, revision from millrace.define_webhooks($1::jsonb, $2::text[])',
      },
      [JSON.stringify(webhooks), slugs],
    ),
  )
}

export interface WebhookRow {
  readonly name: string
  readonly provider: string
  readonly pipelines: readonly string[]
  readonly secrets: readonly string[]
  readonly settings: { readonly scheme: unknown } & Readonly<Record<string, unknown>>
  readonly kept_days: number
  readonly revision: number
  readonly changed_at: Date
  readonly changed_by: string
  readonly retired_at: Date | null
  /** Of the last day. */
  readonly accepted: number
  readonly filtered: number
  readonly failed: number
  readonly refused: number
  readonly last_at: Date | null
}

/** All webhooks, or one. */
export async function listWebhooks(
  caller: Caller,
  name: string | null,
  { after, limit }: Pick<ListBounds, 'after' | 'limit'> = {},
): Promise<WebhookRow[]> {
  const since = new Date((await readClock(caller)).getTime() - dayMs)
  return caller.call<WebhookRow>(
    {
      name: 'millrace_list_webhooks',
      text: `select w.name, w.provider, w.pipelines, w.secrets, w.settings, w.kept_days, w.revision, w.changed_at, w.changed_by, w.retired_at,
          d.accepted, d.filtered, d.failed, r.refused, d.last_at
        from millrace.webhook w
        cross join lateral (
          select count(*) filter (where state = 'accepted')::float8 as accepted, count(*) filter (where state = 'filtered')::float8 as filtered,
                 count(*) filter (where state = 'failed')::float8 as failed, max(received_at) as last_at
            from millrace.delivery where webhook = w.name and received_at > $2 and replay_of is null) d
        cross join lateral (
          select coalesce(sum(refused), 0)::float8 as refused
            from millrace.webhook_refusal where webhook = w.name and minute > $2) r
        where ($1::text is null or w.name = $1) and ($3::text is null or w.name > $3) order by w.name limit $4`,
    },
    [name, since, after ?? null, limit ?? null],
  )
}

const dayMs = 86_400_000

export interface WebhookSecretRow {
  readonly name: string
  readonly source: 'table' | 'environment' | 'aws'
  readonly reference: string | null
  readonly version: number
  /** An envelope, where the source is our own table. */
  readonly value: unknown
}

export function readWebhookSecrets(caller: Caller, names: readonly string[]): Promise<WebhookSecretRow[]> {
  return caller.call<WebhookSecretRow>(
    {
      name: 'millrace_read_webhook_secrets',
      text: 'select name, source, reference, version, value from millrace.read_webhook_secrets($1::text[])',
    },
    [names],
  )
}
