// millrace login, logout: keep a key for a server, and forget it.
import { Command } from 'commander'
import { baseOf, connectHttp } from '../client/http-client.ts'
import { keepKey, loginsFile } from './remote/logins.ts'
import { keyVariable, refusePlain, serverVariable } from './remote/server-choice.ts'
import type { CurrentSession, Session } from './session.ts'
import { readSecretInput } from './standard-input.ts'

export function loginCommand(current: CurrentSession): Command {
  return new Command('login')
    .description('keep a key for a server, read from stdin, in a file that only you may read')
    .argument('<url>', 'the address of the server')
    .option('--plain', 'also over http to another machine, where everybody between may read the key')
    .action(async (url: string, { plain = false }: { plain?: boolean }) => {
      await login(current(), baseOf(url), plain)
    })
}

async function login(session: Session, server: URL, plain: boolean): Promise<void> {
  const { environment } = session.surroundings
  if (!plain) refusePlain(server, environment, 'say --plain')
  const key =
    environment[keyVariable]?.trim() ||
    (
      await readSecretInput(
        session,
        `the key for ${server.origin}`,
        `millrace/key | npx millrace login ${server.origin}`,
      )
    ).trim()
  const who = await connectHttp({ url: server.href, key }).showActor()
  keepKey(environment, server, key)
  session.terminal.answer({ server: server.href, file: loginsFile(environment), ...who })
  session.terminal.print(`You are ${who.name} on ${server.origin}, as ${who.role}.`)
  session.terminal.print(`The key is kept in ${loginsFile(environment)}.`)
  session.terminal.print(`Work there with: export ${serverVariable}=${server.href}`)
}

export function logoutCommand(current: CurrentSession): Command {
  return new Command('logout')
    .description('forget the key that is kept for a server; who made it may revoke it there')
    .argument('<url>', 'the address of the server')
    .action((url: string) => {
      const { surroundings, terminal } = current()
      const server = baseOf(url)
      const forgotten = keepKey(surroundings.environment, server, undefined)
      terminal.answer({ server: server.href, forgotten })
      terminal.print(
        forgotten ? `The key for ${server.origin} is forgotten.` : `No key is kept for ${server.origin}.`,
      )
    })
}
