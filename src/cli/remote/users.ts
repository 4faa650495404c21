// What admins do with people, over HTTP. A link is made here, and only the SHA-256 of its token goes to the server.
import type { HttpClient } from '../../client/http-client.ts'
import type { Role } from '../../core/role.ts'
import type { PersonRow } from '../../db/people.ts'
import { firstOf, given, oneOrNone, type RemoteStatements, revisionOf, rowOf } from './statements.ts'

export function userStatements(client: HttpClient): RemoteStatements {
  return {
    millrace_list_people: async (_after: string | null, limit: number, person: string | null) => {
      if (person !== null)
        return (await oneOrNone(client.showPerson({ params: { person } }))).map(rowOf<PersonRow>)
      return (await firstOf(client.listPeople, {}, limit)).map(rowOf<PersonRow>)
    },
    millrace_invite_person: async (
      _id: string,
      email: string,
      name: string,
      role: Role,
      payloads: boolean,
      _link: string,
      token_hash: string,
    ) => {
      const { expires_at } = await client.invitePerson({ body: { email, name, role, payloads, token_hash } })
      return [{ expires_at: new Date(expires_at) }]
    },
    millrace_link_person: async (person: string, _link: string, token_hash: string) => {
      const { expires_at } = await client.linkPerson({ params: { person }, body: { token_hash } })
      return [{ expires_at: new Date(expires_at) }]
    },
    millrace_change_person: async (
      person: string,
      name: string | null,
      role: Role | null,
      payloads: boolean | null,
      revision: number | null,
    ) => [
      await client.changePerson({
        params: { person },
        body: given({ name, role, payloads }),
        ...revisionOf(revision),
      }),
    ],
    millrace_disable_person: async (person: string, revision: number | null) => [
      await client.disablePerson({ params: { person }, ...revisionOf(revision) }),
    ],
    millrace_enable_person: async (person: string, revision: number | null) => [
      await client.enablePerson({ params: { person }, ...revisionOf(revision) }),
    ],
    millrace_end_sessions: async (person: string) => [await client.endPersonSessions({ params: { person } })],
  }
}
