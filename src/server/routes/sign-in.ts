// The routes by which people sign in and out, and of what is their own.
import { randomUUID } from 'node:crypto'
import type { Actor } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Caller } from '../../db/call.ts'
import { type LinkRow, readPassword, setPassword, showLink, useLink } from '../../db/passwords.ts'
import { endSession, type FoundSession, listSessions } from '../../db/person-sessions.ts'
import { hashToken } from '../people/link.ts'
import { linkPage, linkPagePolicy, linkScript } from '../people/link-page.ts'
import { checkNewPassword, hashPassword, isPassword } from '../people/password.ts'
import { openedPeople } from '../people/people.ts'
import { callerOf, type ServerRoom } from '../room.ts'
import type { Origin } from '../origin.ts'
import { type Call, type Route, route } from '../route.ts'

export const signInRoutes: readonly Route[] = [
  route(operations.signIn, async ({ body, room, origin, request }) => {
    const people = openedPeople(room)
    const before = await people.sessionOf(request)
    const headers = await people.signIn(body, origin)
    if (before !== undefined)
      await endSession(callerInName(room, before, origin), before.person_id, before.session_id)
    return new Response(null, { status: 204, headers })
  }),

  route(operations.beginProviderSignIn, async ({ room, origin, request }) => {
    const people = openedPeople(room)
    if (!people.hasProvider)
      throw new MillraceError('people_off', 'This server has no provider to sign in by.')
    const { location, headers } = await people.beginProviderSignIn(origin, await people.sessionOf(request))
    return redirect(location, headers)
  }),

  route(operations.finishProviderSignIn, async ({ room, origin, request }) => {
    const people = openedPeople(room)
    const { headers, before } = await people.finishProviderSignIn(request, origin)
    if (before !== undefined)
      await endSession(callerInName(room, before, origin), before.person_id, before.session_id)
    // The one page of the server that somebody who signed in can use: there is no console yet.
    return redirect(`${people.url}/reference`, headers)
  }),

  route(operations.showLink, async ({ body, room }) => needLink(room, body.token)),

  route(operations.useLink, async ({ body, room, origin }) => {
    const link = await needLink(room, body.token)
    const email = link.email ?? body.email
    if (email === undefined)
      throw new MillraceError('request_invalid', 'The body is not valid: the first admin brings an email.', {
        fields: { where: 'body' },
      })
    await checkNewPassword(body.password, openedPeople(room).isBreached)
    const person = await useLink(callerInName(room, { person_id: email, email }, origin), {
      tokenHash: hashToken(body.token),
      password: await hashPassword(body.password),
      accountId: randomUUID(),
      personId: randomUUID(),
      email,
      name: body.name,
    })
    return { person }
  }),

  route(operations.showLinkPage, () => Promise.resolve(page(linkPage, 'text/html'))),
  route(operations.showLinkScript, () => Promise.resolve(page(linkScript, 'text/javascript'))),

  route(operations.showActor, async ({ actor }) => {
    const { kind, id, name, role, scopes, payloads, tenant, pipelines, run } = actor
    return { kind, id, name, role, scopes, payloads, tenant, pipelines, run, dev: kind === 'developer' }
  }),

  route(operations.signOut, async ({ room, origin, request }) => {
    const { people } = room
    const session = await people?.sessionOf(request)
    if (people === undefined || session === undefined) return undefined
    await endSession(callerInName(room, session, origin), session.person_id, session.session_id)
    return new Response(null, { status: 204, headers: { 'set-cookie': people.forgottenCookie } })
  }),

  route(operations.changePassword, async (call) => {
    const { body, room, origin } = call
    const people = openedPeople(room)
    const session = await ownSession(call)
    await people.lock.begin(session.email, origin.address)
    const before = await readPassword(room.reads, session.person_id)
    if (before === undefined || !(await isPassword(before, body.password))) throw wrongPassword()
    await people.lock.clear(session.email, origin.address)
    await checkNewPassword(body.new_password, people.isBreached)
    const changed = await setPassword(callerInName(room, session, origin), {
      personId: session.person_id,
      before,
      password: await hashPassword(body.new_password),
      accountId: randomUUID(),
      keptSession: session.session_id,
    })
    if (!changed) throw wrongPassword()
    return undefined
  }),

  route(operations.listOwnSessions, async (call) => {
    const session = await ownSession(call)
    const items = await listSessions(call.room.reads, session.person_id, openedPeople(call.room).idleSeconds)
    return { items, current: session.session_id }
  }),

  route(operations.endOwnSession, async (call) => {
    const session = await ownSession(call)
    const caller = callerInName(call.room, session, call.origin)
    if (!(await endSession(caller, session.person_id, call.params.session)))
      throw new MillraceError('not_found', 'You have no such session.')
    return undefined
  }),
]

/** Of keys and of whoever is signed in by itself there is none. @throws MillraceError not_allowed */
async function ownSession({
  room,
  request,
  actor,
}: Pick<Call, 'room' | 'request' | 'actor'>): Promise<FoundSession> {
  const session = actor.kind === 'person' ? await room.people?.sessionOf(request) : undefined
  if (session !== undefined) return session
  throw new MillraceError('not_allowed', 'You may not do this. It takes somebody who has signed in.')
}

/** @throws MillraceError link_invalid */
async function needLink(room: ServerRoom, token: string): Promise<LinkRow> {
  openedPeople(room)
  const link = await showLink(room.reads, hashToken(token))
  if (link !== undefined) return link
  throw new MillraceError('link_invalid', 'This link was used or replaced, or has expired.', {
    hint: 'Ask an admin for another one.',
  })
}

/** What somebody does to what is their own takes the rights of the server, and stands in history under their name. */
function callerInName(
  room: ServerRoom,
  { person_id, email }: Pick<FoundSession, 'person_id' | 'email'>,
  origin: Origin,
): Caller {
  const actor: Actor = {
    kind: 'person',
    id: person_id,
    name: email,
    role: 'admin',
    scopes: [],
    tenant: null,
    pipelines: null,
    run: null,
    payloads: false,
  }
  return callerOf(room, actor, origin)
}

function wrongPassword(): MillraceError {
  return new MillraceError('sign_in_failed', 'This is not your password.')
}

function redirect(location: string, headers: Headers): Response {
  headers.set('location', location)
  headers.set('cache-control', 'no-store')
  return new Response(null, { status: 303, headers })
}

function page(text: string, media: string): Response {
  return new Response(text, {
    headers: {
      'content-type': `${media}; charset=utf-8`,
      'content-security-policy': linkPagePolicy,
      'cache-control': 'no-store',
    },
  })
}
