// The SQL functions of the keys by which tokens are checked: their public halves alone.
import type { Caller } from './call.ts'

/** A public key as RFC 7517 writes it. */
export type PublicKey = Readonly<Record<string, unknown>>

export async function publishTokenKey(
  caller: Caller,
  id: string,
  publicKey: PublicKey,
  livesSeconds: number,
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_publish_token_key',
      text: 'select millrace.publish_token_key($1, $2::jsonb, $3::int)',
    },
    [id, JSON.stringify(publicKey), livesSeconds],
  )
}

/** What a token says of the key that checks it, and of who made it. */
export interface AskedTokenKey {
  readonly id: string
  readonly key: string | undefined
  readonly person: string | undefined
  readonly payloads: boolean
}

/**
 * In the order in which they were asked for: undefined where one is over, or the API key or the person by whom the token was made is no longer let in, or
 * sees no payloads any more where it does.
 */
export async function findTokenKeys(
  caller: Caller,
  all: readonly AskedTokenKey[],
): Promise<Array<PublicKey | undefined>> {
  const rows = await caller.call<{ public_key: PublicKey | null }>(
    {
      name: 'millrace_find_token_keys',
      text: `select millrace.find_token_key(a.id, a.key, a.person, a.payloads) as public_key
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::boolean[]) with ordinality a(id, key, person, payloads, place) order by a.place`,
    },
    [
      all.map(({ id }) => id),
      all.map(({ key }) => key ?? null),
      all.map(({ person }) => person ?? null),
      all.map(({ payloads }) => payloads),
    ],
  )
  return rows.map(({ public_key: found }) => found ?? undefined)
}
