// Owns what commands do with webhooks over HTTP: lists are read as from a database, and secrets and replays are the server's.
import { durationMs } from '../../core/duration.ts'
import type { HttpClient } from '../../client/http-client.ts'
import { MillraceError } from '../../core/errors.ts'
import { type DeliveryFilterOptions, type ReplayOptions, Webhooks } from '../../sdk/webhooks.ts'
import { localOnly, remoteCaller } from './caller.ts'
import { given } from './statements.ts'

/** What the commands of webhooks call. */
export type WebhookVerbs = Pick<
  Webhooks,
  'list' | 'show' | 'deliveries' | 'delivery' | 'register' | 'replay' | 'rotate' | 'revoke'
>

const replaysMax = 1_000

export function remoteWebhooks(client: HttpClient): WebhookVerbs {
  const caller = remoteCaller(client)
  const refuse = (): never => {
    throw localOnly()
  }
  const read = new Webhooks({
    caller: () => Promise.resolve(caller),
    cipher: () => undefined,
    prepare: refuse,
    encrypts: refuse,
    newId: refuse,
    nowMs: Date.now,
  })
  return {
    list: () => read.list(),
    show: (name) => read.show(name),
    deliveries: (filter) => read.deliveries(filter),
    delivery: (id) => read.delivery(id),
    // The server makes its own known.
    register: () => Promise.resolve(),
    replay: async (_triggers, which, options?: ReplayOptions) => {
      const { dryRun = false, limit = replaysMax, again = false } = options ?? {}
      if (limit > replaysMax) throw tooMany()
      const { count, deliveries } = await client.replayDeliveries({
        body: { ...whichOf(which), limit, again, dry_run: dryRun },
      })
      return {
        count,
        deliveries: deliveries.map(({ is_repeat, ...rest }) => ({ ...rest, isRepeat: is_repeat })),
      }
    },
    rotate: async (webhook, options?: Parameters<Webhooks['rotate']>[1]) => {
      const { overlap = '1d', value } = options ?? {}
      const seconds = Math.ceil(durationMs(overlap, 'The overlap of a secret') / 1_000)
      const answer = await client.rotateWebhook({
        params: { webhook },
        body: { overlap_seconds: seconds, ...given({ value }) },
      })
      const { name, version, overlap_seconds } = answer
      return { name, version, value: answer.value ?? value ?? '', overlapSeconds: overlap_seconds }
    },
    revoke: async (webhook) => (await client.revokeWebhook({ params: { webhook }, body: {} })).changed,
  }
}

/** Fewer than were asked for, without a word, would be taken for all. */
function tooMany(): MillraceError {
  return new MillraceError(
    'command_invalid',
    `A server replays ${replaysMax} deliveries at a time at most.`,
    {
      hint: `Call it with --limit ${replaysMax} until none is left, or name the database with --database.`,
    },
  )
}

function whichOf(which: string | DeliveryFilterOptions) {
  if (typeof which === 'string') return { delivery: which }
  const { since, until, ...conditions } = which
  return { ...conditions, ...given({ since: since?.toISOString(), until: until?.toISOString() }) }
}
