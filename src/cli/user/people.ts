// Owns what the commands of people share: how somebody is named, and the link that they are given.
import { randomBytes } from 'node:crypto'
import { type Role, roles } from '../../core/role.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Caller } from '../../db/call.ts'
import { findPerson, type LinkWrite, type PersonRow } from '../../db/people.ts'
import { linkAddress, newLink } from '../../server/people/link.ts'
import { hostDefault, portDefault, shownAddress } from '../listening.ts'
import type { Session } from '../session.ts'

/** @throws MillraceError person_unknown */
export async function needPerson(caller: Caller, named: string): Promise<PersonRow> {
  const person = await findPerson(caller, named)
  if (person !== undefined) return person
  throw new MillraceError('person_unknown', `There is no person ${named}.`, {
    hint: 'List the people with: npx millrace user list',
  })
}

/** @throws MillraceError command_invalid */
export function roleOf(text: string): Role {
  const role = roles.find((one) => one === text)
  if (role !== undefined) return role
  throw new MillraceError('command_invalid', `--role takes ${roles.join(', ')}, not '${text}'.`)
}

/** A link, made here: neither the database nor a server between ever sees its token. */
export async function linkFor(
  session: Session,
  lifetimeSeconds: number,
  url: string | undefined,
): Promise<{ readonly link: string; readonly write: LinkWrite }> {
  const { token, write } = newLink(randomBytes, lifetimeSeconds)
  return { link: linkAddress(url?.replace(/\/$/, '') ?? (await publicAddress(session)), token), write }
}

/** Under which people reach the server, as far as is known here. */
async function publicAddress(session: Session): Promise<string> {
  const chosen = session.chosenServer?.url
  if (chosen !== undefined) return chosen.replace(/\/$/, '')
  const server = (await session.findConfig())?.config.server
  return (
    server?.url ??
    `http://${shownAddress({ host: server?.host ?? hostDefault, port: server?.port ?? portDefault })}`
  )
}

export function printLink({ terminal }: Session, link: string, expiresAt: Date): void {
  terminal.print(
    `It works once, until ${expiresAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, and is shown this once:`,
  )
  terminal.print(link)
}
