// Owns the sign-in of dev: whoever is on this machine is its developer, an admin.
import type { Actor } from '../../api/access.ts'
import type { Authenticator } from '../authenticate.ts'

const developer: Actor = {
  kind: 'developer',
  id: 'developer',
  name: 'on this machine',
  role: 'admin',
  scopes: null,
  tenant: null,
  pipelines: null,
  run: null,
  payloads: true,
}

/** Signs in whoever reaches a server that only this machine reaches, under a name that only this machine has: a page elsewhere can make neither of its own name. */
export const developerSignIn: Authenticator = (_request, { local }) =>
  Promise.resolve(local ? { actor: developer, ambient: true } : undefined)
