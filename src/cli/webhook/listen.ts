// millrace webhook listen: takes the webhooks of the configuration on a port of its own until it is told to stop.
import { Command } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { isWebhook } from '../../sdk/webhook.ts'
import type { Webhooks } from '../../sdk/webhooks.ts'
import type { Trigger } from '../../sdk/trigger.ts'
import { listenForWebhooks } from '../../server/webhook-server.ts'
import {
  type AddressChoices,
  hostDefault,
  listening,
  shownAddress,
  withAddressOptions,
} from '../listening.ts'
import type { CurrentSession, Session } from '../session.ts'
import { type StopRequests, stopRequests } from '../stop-requests.ts'
import { withWebhooks } from './webhooks.ts'

const portDefault = 8_787

export function listenCommand(current: CurrentSession): Command {
  const command = new Command('listen').description(
    'take the webhooks of millrace.config.ts as POST /webhooks/NAME until it is stopped',
  )
  return withAddressOptions(command, portDefault).action(async (choices: AddressChoices) => {
    const session = current()
    await session.needConfig()
    const stopped = stopRequests()
    try {
      await withWebhooks(session, (webhooks, triggers) =>
        listen(session, stopped, webhooks, triggers, choices),
      )
    } finally {
      stopped.close()
    }
  })
}

async function listen(
  session: Session,
  stopped: StopRequests,
  webhooks: Webhooks,
  triggers: readonly Trigger[],
  { port = portDefault, host = hostDefault, trustedProxy = [] }: AddressChoices,
): Promise<void> {
  const names = triggers.filter(isWebhook).map(({ name }) => name)
  if (names.length === 0)
    throw new MillraceError('command_invalid', 'The configuration has no webhook.', {
      hint: "Add one: triggers: [webhook('people', { … })]",
    })
  const onError = (error: unknown) =>
    session.terminal.note(error instanceof Error ? error.message : String(error))
  const handler = webhooks.handler(triggers, { onError })
  // Where the database can't be reached yet, the first request does it.
  await webhooks.register(triggers).catch(onError)
  const opening = listenForWebhooks(handler, { port, host, trustedProxies: trustedProxy })
  const server = await listening(opening, host, port)
  session.terminal.answerLine({ host: server.host, port: server.port, webhooks: names })
  session.terminal.print(`Listening on http://${shownAddress(server)}/webhooks/ for ${names.join(', ')}.`)
  await stopped.first
  await Promise.race([server.close(), stopped.second.then(() => giveUp(session))])
}

/** A request that still runs is left, but the database is let go like at any other end. */
function giveUp(session: Session): void {
  session.mustExit = true
  session.exitStatus = 1
}
