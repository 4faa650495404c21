// The operations by which people sign in and out, and on what is their own.
import { z } from 'zod'
import { roles } from '../core/role.ts'
import { scopes } from './access.ts'
import { operation } from './operation.ts'
import { email, sessions } from './people.ts'
import { name, time, uuid } from './values.ts'

/** Whoever is signed in, whatever they may do else. */
const oneself = { scope: null, role: 'viewer', subject: 'nothing' } as const
/** In UTF-16 units, of which a character has at most two: how many characters it may have is said where it is chosen. */
const password = z.string().min(1).max(512)
const token = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'it is no token of a link')

const signIn = operation({
  name: 'signIn',
  ownIdempotency: 'none',
  method: 'post',
  path: '/auth/sign-in',
  tag: 'sign-in',
  summary: 'Sign in with an address and a password; the session is a cookie.',
  access: 'public',
  body: z.strictObject({ email, password }),
  errors: ['sign_in_failed', 'sign_in_locked', 'origin_refused', 'people_off'],
})

const beginProviderSignIn = operation({
  name: 'beginProviderSignIn',
  method: 'get',
  path: '/auth/oidc',
  tag: 'sign-in',
  summary: 'Go to the provider (OpenID Connect) to sign in: where a browser is sent.',
  access: 'public',
  media: 'text/html',
  errors: ['people_off'],
})

const finishProviderSignIn = operation({
  name: 'finishProviderSignIn',
  method: 'get',
  path: '/auth/oauth2/callback/oidc',
  tag: 'sign-in',
  summary: 'Come back from the provider: where it sends a browser.',
  access: 'public',
  media: 'text/html',
  query: z.object({
    code: z.string().max(2_000).optional(),
    state: z.string().max(200).optional(),
    iss: z.string().max(500).optional(),
    error: z.string().max(200).optional(),
  }),
  errors: ['sign_in_failed', 'people_off'],
})

const showLink = operation({
  name: 'showLink',
  ownIdempotency: 'none',
  method: 'post',
  path: '/auth/link/show',
  tag: 'sign-in',
  summary: 'Show what a link is for, before it is used.',
  access: 'public',
  body: z.strictObject({ token }),
  answer: z
    .object({
      purpose: z.enum(['invitation', 'reset', 'first_admin']),
      email: z.string().nullable().describe('Null for the first admin, who brings one.'),
      name: z.string().nullable(),
      expires_at: time,
    })
    .meta({ id: 'LinkAnswer' }),
  errors: ['link_invalid', 'origin_refused', 'people_off'],
})

const useLink = operation({
  name: 'useLink',
  ownIdempotency: 'none',
  method: 'post',
  path: '/auth/link/use',
  tag: 'sign-in',
  summary: 'Set the password that a link is for; all sessions of whose it is end.',
  access: 'public',
  body: z.strictObject({
    token,
    password,
    email: email.optional().describe('Of the first admin.'),
    name: name.optional(),
  }),
  answer: z.object({ person: uuid }),
  errors: ['link_invalid', 'password_refused', 'origin_refused', 'people_off'],
})

const showLinkPage = operation({
  name: 'showLinkPage',
  method: 'get',
  path: '/auth/link',
  tag: 'sign-in',
  summary: 'The page of a link, where somebody sets a password.',
  access: 'public',
  media: 'text/html',
})

const showLinkScript = operation({
  name: 'showLinkScript',
  method: 'get',
  path: '/auth/link.js',
  tag: 'sign-in',
  summary: 'The script of that page.',
  access: 'public',
  media: 'text/javascript',
})

const showActor = operation({
  name: 'showActor',
  method: 'get',
  path: '/auth/actor',
  tag: 'sign-in',
  summary: 'Who asks, and what they may do.',
  access: oneself,
  answer: z
    .object({
      kind: z.enum(['person', 'key', 'token', 'developer', 'local']),
      id: z.string(),
      name: z.string(),
      role: z.enum(roles),
      scopes: z.array(z.enum(scopes)).nullable().describe('Null: all that the role has.'),
      payloads: z.boolean(),
      tenant: z.string().nullable(),
      pipelines: z.array(z.string()).nullable(),
      run: uuid.nullable(),
      dev: z
        .boolean()
        .describe('Whether this server signs in everybody on its machine: say so on every page.'),
    })
    .meta({ id: 'Actor' }),
})

const signOut = operation({
  name: 'signOut',
  ownIdempotency: 'none',
  method: 'post',
  path: '/auth/sign-out',
  tag: 'sign-in',
  summary: 'End the session in which this is asked.',
  access: oneself,
})

const changePassword = operation({
  name: 'changePassword',
  ownIdempotency: 'none',
  method: 'post',
  path: '/auth/password',
  tag: 'sign-in',
  summary: 'Change your password; your other sessions end.',
  access: oneself,
  body: z.strictObject({ password, new_password: password }),
  errors: ['sign_in_failed', 'sign_in_locked', 'password_refused'],
})

const listOwnSessions = operation({
  name: 'listOwnSessions',
  method: 'get',
  path: '/auth/sessions',
  tag: 'sign-in',
  summary: 'List your sessions.',
  access: oneself,
  answer: sessions.extend({ current: uuid.describe('The one in which this is asked.') }),
})

const endOwnSession = operation({
  name: 'endOwnSession',
  method: 'delete',
  path: '/auth/sessions/{session}',
  tag: 'sign-in',
  summary: 'End a session of yours.',
  access: oneself,
  params: z.object({ session: uuid }),
  errors: ['not_found'],
})

export const signInOperations = {
  signIn,
  beginProviderSignIn,
  finishProviderSignIn,
  showLink,
  useLink,
  showLinkPage,
  showLinkScript,
  showActor,
  signOut,
  changePassword,
  listOwnSessions,
  endOwnSession,
} as const
