// Owns how the commands of secrets work with them: over their own connection, with the key ring of the configuration.
import { Secrets } from '../../sdk/secrets.ts'
import { remoteSecrets, type SecretVerbs } from '../remote/secret-verbs.ts'
import type { Session } from '../session.ts'

export async function withSecrets<T>(
  session: Session,
  work: (secrets: SecretVerbs) => Promise<T>,
): Promise<T> {
  if (session.remote !== undefined) return work(remoteSecrets(session.remote))
  const cipher = await session.findCipher()
  return session.withDatabase(({ caller }) =>
    work(
      new Secrets(
        () => Promise.resolve(caller),
        () => cipher,
      ),
    ),
  )
}
