// The routes of secrets: a value comes in, and none goes out.
import { operations } from '../../api/catalogue.ts'
import { listSecrets, refuseSecretVersion, removeSecret } from '../../db/secrets.ts'
import type { Caller } from '../../db/call.ts'
import { type SecretPlace, Secrets } from '../../sdk/secrets.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import { type ServerRoom, together } from '../room.ts'
import { type Route, route } from '../route.ts'

export const secretRoutes: readonly Route[] = [
  route(operations.listSecrets, async ({ query: { limit, cursor }, room }) => {
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await listSecrets(room.reads, { after: after as string | undefined, limit: limit + 1 })
    return pageOfRows(rows, limit, ({ name }) => [name])
  }),

  route(operations.setSecret, ({ params, body, caller, ifRevision, room }) => {
    const { max_age_seconds: seconds, ...place } = body
    return presently(room, params.secret, () =>
      // Of the three places, the schema lets one through.
      secretsOf(room, caller).set(params.secret, place as SecretPlace, {
        ...(seconds === undefined ? {} : { maxAge: seconds * 1_000 }),
        ...(ifRevision === undefined ? {} : { ifVersion: ifRevision }),
      }),
    )
  }),

  route(operations.rotateSecret, ({ params, body, caller, ifRevision, room }) =>
    presently(room, params.secret, () =>
      secretsOf(room, caller).rotate(
        params.secret,
        body.value,
        ifRevision === undefined ? {} : { ifVersion: ifRevision },
      ),
    ),
  ),

  route(operations.removeSecret, ({ params, actor, origin, ifRevision, room }) =>
    presently(room, params.secret, () =>
      together(room, actor, origin, async (caller) => {
        if (ifRevision !== undefined) await refuseSecretVersion(caller, params.secret, ifRevision)
        return { changed: await removeSecret(caller, params.secret) }
      }),
    ),
  ),
]

function secretsOf(room: ServerRoom, caller: Caller): Secrets {
  return new Secrets(
    () => Promise.resolve(caller),
    () => room.cipher,
  )
}

function presently<T>(room: ServerRoom, secret: string, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, async ({ reads }) =>
    (await listSecrets(reads)).find(({ name }) => name === secret),
  )
}
