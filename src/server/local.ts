// Owns what a request from the same machine may without a credential: look at the health and the metrics, and nothing else.
import type { Actor } from '../api/access.ts'
import type { Authenticator } from './authenticate.ts'

const local: Actor = {
  kind: 'local',
  id: 'local',
  name: 'this machine',
  role: 'viewer',
  scopes: ['metrics:read'],
  tenant: null,
  pipelines: null,
  run: null,
  payloads: false,
}

/** @param paths those of the operations that it is for: everywhere else it is nobody, who has to sign in */
export function localAuthenticator(
  pathOf: (request: Request) => string,
  paths: readonly string[],
): Authenticator {
  return (request, origin) =>
    Promise.resolve(
      origin.local && request.method === 'GET' && paths.includes(pathOf(request))
        ? { actor: local, ambient: false }
        : undefined,
    )
}
