// Owns what commands do with secrets over HTTP: a value goes to the server, which encrypts it.
import type { HttpClient } from '../../client/http-client.ts'
import { durationMs } from '../../core/duration.ts'
import { type SecretOptions, Secrets } from '../../sdk/secrets.ts'
import { remoteCaller } from './caller.ts'
import { given } from './statements.ts'

/** What the commands of secrets call. */
export type SecretVerbs = Pick<Secrets, 'set' | 'rotate' | 'list' | 'remove'>

export function remoteSecrets(client: HttpClient): SecretVerbs {
  const caller = remoteCaller(client)
  const read = new Secrets(
    () => Promise.resolve(caller),
    () => undefined,
  )
  return {
    list: () => read.list(),
    remove: (name) => read.remove(name),
    set: async (secret, place, options?: SecretOptions) => {
      const maxAge = options?.maxAge
      const seconds =
        maxAge === undefined ? null : Math.ceil(durationMs(maxAge, 'The maxAge of a secret') / 1_000)
      return client.setSecret({
        params: { secret },
        body: { ...place, ...given({ max_age_seconds: seconds }) },
      })
    },
    rotate: async (secret, value) => client.rotateSecret({ params: { secret }, body: given({ value }) }),
  }
}
