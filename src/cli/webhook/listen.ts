// millrace webhook listen: takes the webhooks of the configuration on a port of its own until it is told to stop.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import type { Client } from '../../sdk/client.ts'
import type { Config } from '../../sdk/config.ts'
import { isWebhook } from '../../sdk/webhook.ts'
import type { Listener } from '../../server/listen.ts'
import { deliveryFacts, errorFacts } from '../../server/server-log.ts'
import { listenForWebhooks } from '../../server/webhook-server.ts'
import type { ChosenDatabase } from '../database-choice.ts'
import { eventWords } from '../event-words.ts'
import {
  type AddressChoices,
  hostDefault,
  listening,
  shownAddress,
  withAddressOptions,
} from '../listening.ts'
import { refuseSchema } from '../schema-refusal.ts'
import type { CurrentSession, Session } from '../session.ts'
import type { StopRequests } from '../stop-requests.ts'
import { untilStopped } from '../until-stopped.ts'
import { connectFor } from './webhooks.ts'

const portDefault = 8_787

export function listenCommand(current: CurrentSession): Command {
  const command = new Command('listen').description(
    'take the webhooks of millrace.config.ts as POST /webhooks/NAME until it is stopped',
  )
  return withAddressOptions(command, portDefault).action(async (choices: AddressChoices) => {
    const session = current()
    const { config } = await session.needConfig()
    await untilStopped(session, async (database, stopped) => {
      // Who asks again waits for no request and no connection, but an embedded database still is let go.
      const forced = stopped.second.then(() => giveUp(session))
      await Promise.race([serve(session, stopped, config, database, choices), forced])
    })
  })
}

async function serve(
  session: Session,
  stopped: StopRequests,
  config: Config,
  database: ChosenDatabase,
  choices: AddressChoices,
): Promise<void> {
  const names = webhookNames(config)
  const opened = await Promise.race([open(session, config, database, choices), stopped.first])
  if (opened === undefined) {
    // It may still wait for its database.
    session.mustExit = true
    return
  }
  const { client, server } = opened
  session.terminal.answerLine({ host: server.host, port: server.port, webhooks: names })
  session.terminal.print(`Listening on http://${shownAddress(server)}/webhooks/ for ${names.join(', ')}.`)
  await stopped.first
  await server.close()
  await client.close()
}

/** @throws MillraceError command_invalid */
function webhookNames({ triggers = [] }: Config): string[] {
  const names = triggers.filter(isWebhook).map(({ name }) => name)
  if (names.length > 0) return names
  throw new MillraceError('command_invalid', 'The configuration has no webhook.', {
    hint: "Add one: triggers: [webhook('people', { … })]",
  })
}

/** @throws MillraceError command_invalid, and those of refuseSchema */
async function open(
  session: Session,
  config: Config,
  database: ChosenDatabase,
  { port = portDefault, host = hostDefault, trustedProxy = [] }: AddressChoices,
): Promise<{ readonly client: Client; readonly server: Listener }> {
  await refuseSchema(database.url, 'millrace webhook listen')
  const { triggers = [] } = config
  const client = connectFor(session, config, database)
  const tell = (event: string, facts: object): void => session.terminal.note(eventWords(event, { ...facts }))
  try {
    const handler = client.webhooks.handler(triggers, {
      onError: (error) => tell('delivery.failed', deliveryFacts(error)),
    })
    // Where the database was lost since, the first request does it.
    await client.webhooks.register(triggers).catch((error: unknown) => {
      tell('webhooks.unregistered', errorFacts(error))
    })
    const opening = listenForWebhooks(handler, { port, host, trustedProxies: trustedProxy })
    return { client, server: await listening(opening, host, port) }
  } catch (error) {
    await client.close()
    throw error
  }
}

function giveUp(session: Session): void {
  session.mustExit = true
  session.exitStatus = 1
}
