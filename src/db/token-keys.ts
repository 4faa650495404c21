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

/** Undefined where it is over, or the API key or the person by whom the token was made is no longer let in, or sees no payloads any more where it does. */
export async function findTokenKey(
  caller: Caller,
  id: string,
  madeBy: {
    readonly key?: string | undefined
    readonly person?: string | undefined
    readonly payloads: boolean
  },
): Promise<PublicKey | undefined> {
  const rows = await caller.call<{ public_key: PublicKey | null }>(
    {
      name: 'millrace_find_token_key',
      text: 'select millrace.find_token_key($1::uuid, $2::uuid, $3::uuid, $4) as public_key',
    },
    [id, madeBy.key ?? null, madeBy.person ?? null, madeBy.payloads],
  )
  return rows[0]?.public_key ?? undefined
}
