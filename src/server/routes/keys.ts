// The routes of API keys, service accounts and tokens. Nobody gives a key more than they have themselves.
import type { Actor, Scope } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { uuid } from '../../api/values.ts'
import type { ApiKeyRow } from '../../db/api-keys.ts'
import type { Caller } from '../../db/call.ts'
import {
  createServiceAccount,
  disableServiceAccount,
  listServiceAccounts,
} from '../../db/service-accounts.ts'
import { type ApiKeyOptions, ApiKeys, type RotationOptions, type StoredKey } from '../../sdk/api-keys.ts'
import { type Given, refuseMore } from '../own-rights.ts'
import { pageOfRows, positionOf } from '../page.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route } from '../route.ts'

const tokenSeconds = 600
/** Of a service account that is enabled again: the newest ones. */
const keysLookedAt = 1_000

export const keyRoutes: readonly Route[] = [
  route(operations.listApiKeys, async ({ query, room }) => {
    const [before] = positionOf(query.cursor, ['uuid']) ?? []
    const rows = await keysOf(room.reads).list({
      before: before as string | undefined,
      limit: query.limit + 1,
      account: query.account,
      live: query.live,
    })
    return pageOfRows(rows, query.limit, ({ id }) => [id])
  }),

  route(operations.showApiKey, ({ params, room }) => keysOf(room.reads).show(params.key)),

  route(operations.createApiKey, async ({ body, actor, caller, room }) => {
    const given: Given = {
      role: body.role ?? 'viewer',
      scopes: body.scopes ?? actor.scopes?.filter((scope) => scope !== 'payloads:read') ?? null,
      payloads: body.payloads === true || (body.scopes?.includes('payloads:read') ?? false),
      agent: body.agent ?? actor.agent,
    }
    refuseMore(actor, given)
    const options: ApiKeyOptions = {
      name: body.name,
      role: given.role,
      scopes: given.scopes ?? undefined,
      tenant: body.tenant,
      pipelines: body.pipelines,
      payloads: given.payloads,
      agent: given.agent,
      requestsPerHour: body.requests_per_hour,
      ...(body.service_account === undefined
        ? await ownerOf(room, actor)
        : { serviceAccount: body.service_account }),
      livesFor: millisecondsOf(body.lives_seconds),
    }
    const made = await keysOf(caller).create(options, storedOf(body.own))
    return { id: made.id, prefix: made.prefix, key: made.key, expires_at: made.expiresAt }
  }),

  route(operations.rotateApiKey, async ({ params, body, actor, caller, room }) => {
    const old = await keysOf(room.reads).show(params.key)
    refuseMore(actor, rightsOf(old))
    const options: RotationOptions = {
      overlap: millisecondsOf(body.overlap_seconds),
      livesFor: millisecondsOf(body.lives_seconds),
    }
    const made = await keysOf(caller).rotate(params.key, options, storedOf(body.own))
    return {
      id: made.id,
      prefix: made.prefix,
      key: made.key,
      expires_at: made.expiresAt,
      old_expires_at: made.oldExpiresAt,
    }
  }),

  route(operations.revokeApiKey, async ({ params, body, caller }) => ({
    changed: await keysOf(caller).revoke(params.key, body.reason),
  })),

  route(operations.listServiceAccounts, async ({ query, room }) => {
    const [after] = positionOf(query.cursor, ['text']) ?? []
    const rows = await listServiceAccounts(room.reads, {
      after: after as string | undefined,
      limit: query.limit + 1,
    })
    return pageOfRows(rows, query.limit, ({ name }) => [name])
  }),

  route(operations.createServiceAccount, async ({ body, actor, caller }) => {
    refuseMore(actor, { role: body.role, scopes: [], payloads: false, agent: actor.agent })
    const { name, role, description = '' } = body
    return { name, created_at: await createServiceAccount(caller, { name, role, description }) }
  }),

  route(operations.disableServiceAccount, async ({ params, caller }) => ({
    changed: await disableServiceAccount(caller, params.account, true),
  })),

  route(operations.enableServiceAccount, async ({ params, actor, caller, room }) => {
    const keys = await keysOf(room.reads).list({ account: params.account, limit: keysLookedAt })
    for (const key of keys) if (key.revoked_at === null) refuseMore(actor, rightsOf(key))
    return { changed: await disableServiceAccount(caller, params.account, false) }
  }),

  route(operations.createRunToken, async ({ params, body, actor, room }) => {
    const { token, expiresAt } = await room.tokens.sign(actor, {
      run: params.run,
      seconds: body.seconds ?? tokenSeconds,
      payloads: body.payloads ?? false,
    })
    return { token, expires_at: expiresAt }
  }),
]

function keysOf(caller: Caller): ApiKeys {
  return new ApiKeys(() => Promise.resolve(caller))
}

function rightsOf({ role, scopes, payloads, agent }: ApiKeyRow): Given {
  return { role, scopes: scopes as Scope[] | null, payloads, agent: agent ?? undefined }
}

/** Whose the keys are that an actor makes: a person's their own, and a key's of whose that key is, so that they end with it. */
async function ownerOf(
  { reads }: ServerRoom,
  { kind, id }: Actor,
): Promise<Pick<ApiKeyOptions, 'person' | 'serviceAccount'>> {
  if (kind === 'person') return { person: id }
  if (kind !== 'key' || !uuid.safeParse(id).success) return {}
  const [own] = await keysOf(reads).list({ id, limit: 1 })
  return { person: own?.person_id ?? undefined, serviceAccount: own?.service_account ?? undefined }
}

function millisecondsOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000
}

function storedOf(
  own: { readonly id: string; readonly prefix: string; readonly digest: string } | undefined,
): StoredKey | undefined {
  return own === undefined ? undefined : { ...own, digest: Buffer.from(own.digest, 'hex') }
}
