// The routes of people, which are for admins. Nobody lets somebody in for more than they may themselves, nor gets a link of theirs.
import { randomUUID } from 'node:crypto'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import {
  changePerson,
  disablePerson,
  enablePerson,
  findPerson,
  invitePerson,
  linkPerson,
  type LinkWrite,
  listPeople,
  type PersonRow,
} from '../../db/people.ts'
import { endSessions, listSessions } from '../../db/person-sessions.ts'
import { linkAddress, linkLifetimes, newLink } from '../people/link.ts'
import { idleSecondsDefault, openedPeople } from '../people/people.ts'
import { refuseMore } from '../own-rights.ts'
import { pageOfRows, positionOf } from '../page.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route } from '../route.ts'

export const peopleRoutes: readonly Route[] = [
  route(operations.listPeople, async ({ query, room }) => {
    const [after] = positionOf(query.cursor, ['text']) ?? []
    const rows = await listPeople(room.reads, { after: after as string | undefined, limit: query.limit + 1 })
    return pageOfRows(rows, query.limit, ({ email }) => [email])
  }),

  route(operations.showPerson, async ({ params, room }) => needPerson(room, params.person)),

  route(operations.invitePerson, async ({ body, actor, caller, room }) => {
    refuseMore(actor, { role: body.role, scopes: null, payloads: body.payloads })
    const { email, name = email, role, payloads } = body
    const { link, write } = linkOf(room, body.token_hash, linkLifetimes.invitation)
    const id = randomUUID()
    const expires_at = await invitePerson(caller, { personId: id, email, name, role, payloads, ...write })
    return { id, link, expires_at }
  }),

  route(operations.linkPerson, async ({ params, body, actor, caller, room }) => {
    const person = await needPerson(room, params.person)
    refuseMore(actor, { role: person.role, scopes: null, payloads: person.payloads })
    const lifetime = person.has_account ? linkLifetimes.reset : linkLifetimes.invitation
    const { link, write } = linkOf(room, body.token_hash, lifetime)
    return { link, expires_at: await linkPerson(caller, person.id, write) }
  }),

  route(operations.changePerson, async ({ params, body, actor, caller, ifRevision }) => {
    const { role = 'viewer', payloads = false } = body
    refuseMore(actor, { role, scopes: body.role === undefined ? [] : null, payloads })
    return { revision: await changePerson(caller, params.person, body, ifRevision) }
  }),

  route(operations.disablePerson, async ({ params, caller, ifRevision }) => ({
    changed: await disablePerson(caller, params.person, ifRevision),
  })),

  route(operations.enablePerson, async ({ params, actor, caller, ifRevision, room }) => {
    const { role, payloads } = await needPerson(room, params.person)
    refuseMore(actor, { role, scopes: null, payloads })
    return { changed: await enablePerson(caller, params.person, ifRevision) }
  }),

  route(operations.listPersonSessions, async ({ params, room }) => ({
    items: await listSessions(room.reads, params.person, room.people?.idleSeconds ?? idleSecondsDefault),
  })),

  route(operations.endPersonSessions, async ({ params, caller }) => ({
    ended: await endSessions(caller, params.person),
  })),
]

/** @throws MillraceError person_unknown */
async function needPerson(room: ServerRoom, named: string): Promise<PersonRow> {
  const person = await findPerson(room.reads, named)
  if (person !== undefined) return person
  throw new MillraceError('person_unknown', `There is no person ${named}.`)
}

/** Whoever makes the token keeps it: the server, or the caller, who tells its hash alone. */
function linkOf(
  room: ServerRoom,
  tokenHash: string | undefined,
  lifetimeSeconds: number,
): { readonly link: string | null; readonly write: LinkWrite } {
  const { token, write } = newLink(room.random, lifetimeSeconds)
  return tokenHash === undefined
    ? { link: linkAddress(openedPeople(room).url, token), write }
    : { link: null, write: { ...write, tokenHash } }
}
